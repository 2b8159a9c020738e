"""What operators see and do: the event log, the control socket, replay of a journal."""
