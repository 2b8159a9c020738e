// node-smpp as a peer: `node node_peer.js server` or `node node_peer.js client PORT SYSTEM_ID PASSWORD RANGE`.
// Standard input: a JSON object a line {source, destination, text}, to be sent. Standard output: the same of what came,
// and what happened: {listening}, {bound}, {answered}.
const readline = require('node:readline');
const smpp = require('smpp');

const [role, port, systemId, password, range] = process.argv.slice(2);
const say = (value) => process.stdout.write(JSON.stringify(value) + '\n');
const request = role === 'server' ? 'deliver_sm' : 'submit_sm';
let session = null;
let number = 0;

function came(pdu) {
  say({
    source: pdu.source_addr,
    destination: pdu.destination_addr,
    text: pdu.short_message.message,
    part: pdu.short_message.udh ? Array.from(pdu.short_message.udh[0]) : [],
  });
  session.send(pdu.response(role === 'server' ? { message_id: String(++number) } : {}));
}

function serve(peer) {
  session = peer;
  session.on('error', (error) => say({ error: String(error) }));
  session.on(role === 'server' ? 'submit_sm' : 'deliver_sm', came);
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => { session.send(pdu.response()); session.close(); });
}

if (role === 'server') {
  const server = smpp.createServer((peer) => {
    serve(peer);
    peer.on('bind_transceiver', (pdu) => {
      session.send(pdu.response({ system_id: 'node' }));
      say({ bound: pdu.system_id });
    });
  });
  server.listen(0, '127.0.0.1', () => say({ listening: server.address().port }));
} else {
  serve(smpp.connect({ url: `smpp://127.0.0.1:${port}` }, () => {
    session.bind_transceiver(
      { system_id: systemId, password, address_range: range, interface_version: 0x34 },
      (pdu) => say({ bound: pdu.system_id, status: pdu.command_status }),
    );
  }));
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const { source, destination, text } = JSON.parse(line);
  session[request](
    { source_addr: source, destination_addr: destination, short_message: text },
    (pdu) => say({ answered: pdu.command_status, message_id: pdu.message_id }),
  );
}).on('close', () => process.exit(0));
