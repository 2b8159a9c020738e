"""The schema of appendix8.yaml and of replies/. commands.table checks what goes across rows."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from commands.arguments import FREE_KINDS, Argument, Kind
from routing.provenance import Sourced
from routing.tablefile import Closed

Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$")]
Filled = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Count = Annotated[int, Field(ge=0, le=1000)]
SourcedText = Sourced[Filled]


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from error
    return pattern


Pattern = Annotated[Filled, AfterValidator(_compiles)]


class ArgumentRecord(Closed):
    """An argument of an instruction. `shortest` and `longest` are UTF-16 units."""

    name: Id
    kind: Sourced[Kind]
    required: bool = True
    shortest: Sourced[Count] | None = None
    longest: Sourced[Count] | None = None
    choices: list[SourcedText] = Field(default_factory=list)

    @model_validator(mode="after")
    def _bounds_suit_the_kind(self) -> Self:
        kind = self.kind.value
        if kind in {Kind.NAME, Kind.PASSWORD} and self.longest is None:
            raise ValueError(f"an argument of kind {kind} says how many characters it has at most: longest")
        if kind is Kind.SERIAL and not (self.longest and self.shortest and self.shortest.value):
            raise ValueError("an argument of kind serial has from one digit on: shortest, longest")
        if (kind is Kind.CHOICE) != bool(self.choices):
            raise ValueError("'choices' belong to the kind choice, and to no other")
        return self

    def argument(self) -> Argument:
        """The argument as the parser uses it."""
        return Argument(
            self.name,
            self.kind.value,
            self.required,
            self.shortest.value if self.shortest else 0,
            self.longest.value if self.longest else 0,
            tuple(choice.value for choice in self.choices),
        )


class RowRecord(Closed):
    """A row of appendix8.yaml: an instruction, its words, the places that understand it, its arguments and
    replies.

    effect: documentation with its provenance; no code reads it.
    """

    id: Id
    words: list[SourcedText] = Field(default_factory=list)
    where: list[Sourced[Id]] = Field(min_length=1)
    whole_text: bool = False
    arguments: list[ArgumentRecord] = Field(default_factory=list)
    effect: SourcedText
    needs: Literal["open", "any"]
    despite: list[Literal["protected", "suspended", "other_operator"]] = Field(default_factory=list)
    draws: list[Literal["fetion_number", "password", "password_hash", "candidates"]] = Field(
        default_factory=list
    )
    reads: bool = False
    secret: bool = False
    helps: bool = False
    usage: Id | None = None
    replies: list[Id] = Field(default_factory=list)

    @model_validator(mode="after")
    def _words_or_the_whole_text(self) -> Self:
        kinds = [argument.kind.value for argument in self.arguments]
        if Kind.SERIAL in kinds and kinds != [Kind.SERIAL]:
            raise ValueError("a serial stands alone: its row has no other argument")
        if [self.whole_text, bool(self.words), Kind.SERIAL in kinds].count(True) != 1:
            raise ValueError("a row has words, or takes the whole text, or the serials of a list")
        if self.words and self.usage is None:
            raise ValueError("a row with words names the sentence that explains it: usage")
        if self.whole_text and len(self.arguments) > 1:
            raise ValueError("a row that takes the whole text has one argument or none")
        return self

    @model_validator(mode="after")
    def _arguments_are_in_order(self) -> Self:
        names = [argument.name for argument in self.arguments]
        if len(names) != len(set(names)):
            raise ValueError("two arguments have the same name")
        optional = False
        for place, argument in enumerate(self.arguments):
            last = place == len(self.arguments) - 1
            if argument.kind.value in FREE_KINDS and not last:
                raise ValueError(f"{argument.name}: free text is the last argument, it takes everything")
            if argument.kind.value is Kind.PASSWORD and not self.whole_text:
                raise ValueError(f"{argument.name}: a password is the whole text, nothing stands before it")
            if argument.required and optional:
                raise ValueError(f"{argument.name}: a required argument stands before the optional ones")
            optional = optional or not argument.required
        return self


class PlaceRecord(Closed):
    """A place with a grammar of its own.

    codes: its access codes. newest: an answer without a known serial means the newest question begun there.
    elsewhere: the sentence that names this place to customers who use its words at another one.
    """

    codes: list[Sourced[Annotated[str, StringConstraints(pattern=r"^[0-9]{3,10}$")]]] = Field(min_length=1)
    newest: bool = False
    elsewhere: Id


class HintRecord(Closed):
    """Texts that are no instruction at a place, and the sentence that says what to do instead."""

    words: list[SourcedText] = Field(min_length=1)
    where: list[Sourced[Id]] = Field(min_length=1)
    reply: Id


class AttemptRecord(Closed):
    """How to detect a password at a number that does not take one.

    password: the row that takes it, alone at its own place. words: words for password. courtesies: words that
    may stand beside a password and do not count as content. reply: the sentence that answers an attempt.
    """

    password: Id
    words: list[SourcedText] = Field(min_length=1)
    courtesies: list[SourcedText] = Field(default_factory=list)
    reply: Id


class CancellingRecord(Closed):
    """Texts by which a customer wants to cancel, and the sentence that names the words to use.

    words: alone on their line. names: words that name cancelling within a question. questions: words that
    make a line a question.
    """

    words: list[SourcedText] = Field(min_length=1)
    names: list[SourcedText] = Field(default_factory=list)
    questions: list[SourcedText] = Field(default_factory=list)
    reply: Id


class GeneralRecord(Closed):
    """Sentences that belong to no row."""

    misunderstood: Id
    suggestion: Id
    suggestion_question: Id
    suggestion_dropped: Id
    garbled: Id
    incomplete: Id
    not_open: Id
    suspended: Id
    protected: Id
    other_operator: Id
    ported_out: Id
    reminder: Id
    failed: Id
    too_often: Id
    overused: Id
    moved: Id
    password_in_doubt: Id
    unread: Id


class Appendix8(Closed):
    """appendix8.yaml: the instructions, and how a text is read as one of them."""

    places: dict[Id, PlaceRecord] = Field(min_length=1)
    opposites: list[Annotated[list[Filled], Field(min_length=2, max_length=2)]] = Field(default_factory=list)
    negations: list[SourcedText] = Field(default_factory=list)
    foreign: list[SourcedText] = Field(default_factory=list)
    hints: list[HintRecord] = Field(default_factory=list)
    cancelling: CancellingRecord | None = None
    attempt: AttemptRecord | None = None
    automatic: list[Sourced[Pattern]] = Field(default_factory=list)
    general: GeneralRecord
    rows: list[RowRecord] = Field(min_length=1)


class SampleRecord(Closed):
    """The longest value of a placeholder: `sample`, repeated `times` times. Lengths are computed with it."""

    sample: Annotated[str, StringConstraints(min_length=1)]
    times: Annotated[int, Field(ge=1, le=1000)] = 1


class SentenceRecord(Closed):
    """A sentence.

    text: Chinese, with {placeholders}. sms: how many SMS it takes at most.
    """

    text: Filled
    sms: Annotated[int, Field(ge=1, le=255)] = 1


class Replies(Closed):
    """replies/*.yaml: every sentence that a customer can receive."""

    values: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]*$")], SampleRecord]
    sentences: dict[Id, SentenceRecord] = Field(min_length=1)


class GlossesRecord(Closed):
    """replies/en.yaml: what the instructions and the sentences say, in English."""

    instructions: dict[Id, Filled] = Field(min_length=1)
    sentences: dict[Id, Filled] = Field(min_length=1)
