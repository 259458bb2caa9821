"""Packets forged for one defect (or one liberty) each, with the exit code that the format document asks for.

Most are a real release's records signed again by keys of our own, so that `gonogo verify` finds approvals and a result and its exit
code is about the format alone. An expected code of None: the document leaves it open, and the two must only agree.
"""

import collections
import copy

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from forge import CONTROLLER, LOG, ORIGIN, OTHER_LOG, PERSON, STRANGER, WITNESSES, NoteKey, Signer, archive, b64, enrol, forge, release, sha256

Case = collections.namedtuple("Case", "name expected raw reader")
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ZERO, ONE_LINE = "sha256:" + "0" * 64, b64(bytes(32)).encode() + b"\n"


def cases(said):
    stream, fill, listed = release(said)
    plan = listed[1]
    out = []

    def case(name, expected, extra=None, reader=None, **changes):
        def refill(ledger):
            begin(ledger)
            for step in extra if isinstance(extra, list) else [extra] if extra else []:
                step(ledger)

        begin = changes.pop("fill", fill)
        options = {"stream": stream, "fill": refill, "listed": listed, **changes}
        out.append(Case(name, expected, archive(forge(**options)[0]), reader or {}))

    def note(stream=stream, body=None, kind="note", signer=CONTROLLER, **how):
        return lambda ledger: ledger.append(kind, stream, body or {}, signer, **how)

    def event(body, signer=CONTROLLER, where="system", **how):
        return note(where, body, "key-event", signer, **how)

    def body(text):
        return note(raw=lambda payload: payload.replace(b'"body":{}', b'"body":' + text))

    def predicate(**fields):
        return note(alter=lambda statement: statement["predicate"].update(fields))

    def top(**fields):
        return note(alter=lambda statement: statement.update(fields))

    case("one record more", 0, note())
    # JSON (Words, section 1)
    for text, expected in (
        (b'{"a":9007199254740991}', 0),
        (b'{"a":9007199254740990.5}', 2),
        (b'{"a":4503599627370495.5}', 0),
        (b'{"a":9007199254740992}', 2),
        (b'{"a":-9007199254740991}', 0),
        (b'{"a":-9007199254740992}', 2),
        (b'{"a":1e+21}', 2),
        (b'{"a":1e21}', 2),
        (b'{"a":100000000000000000000}', 2),
        (b'{"a":1.7976931348623157e+308}', 2),
        (b'{"a":1e400}', 2),
        (b'{"a":NaN}', 2),
        (b'{"a":Infinity}', 2),
        (b'{"a":-0}', 2),
        (b'{"a":1.0}', 2),
        (b'{"a":0.10}', 2),
        (b'{"a":0.1}', 0),
        (b'{"a":4.35}', 0),
        (b'{"a":333333333.3333332}', 0),
        (b'{"a":0.000001}', 0),
        (b'{"a":1e-7}', 0),
        (b'{"a":0.0000001}', 2),
        (b'{"a":5e-324}', 0),
        (b'{"a":1,"a":2}', 2),
        (b'{"a":{"b":1,"b":1}}', 2),
        (b'{"b":1,"a":2}', 2),
        (b'{"a": 1}', 2),
        (b'[]', 2),
        (b'null', 2),
        (b'{"a":"\\u001f"}', 0),
        (b'{"a":"\\u001F"}', 2),
        (b'{"a":"\x1f"}', 2),
        (b'{"a":"\\b\\f\\n\\r\\t"}', 0),
        (b'{"a":"\\u000a"}', 2),
        (b'{"a":"\\/"}', 2),
        (b'{"a":"\x7f"}', 0),
        (b'{"a":"\\u007f"}', 2),
        (b'{"a":"\\ud800"}', 2),
        (b'{"a":"\xed\xa0\x80"}', 2),
        (b'{"a":"\xc0\x80"}', 2),
        (b'{"a":"\xf0\x9f\x98\x80"}', 0),
        (b'{"a":"\\ud83d\\ude00"}', 2),
        (b'{"a":"\xe2\x80\xa8"}', 0),
        (b'{"":1}', 0),
        (b'{"\xf0\x9f\x98\x80":2,"\xef\xbf\xbd":1}', 0),
        (b'{"\xef\xbf\xbd":1,"\xf0\x9f\x98\x80":2}', 2),
        (b'{"a":' + b"[" * 124 + b"]" * 124 + b"}", 0),
        (b'{"a":' + b"[" * 125 + b"]" * 125 + b"}", 2),
        (b'{"a":' + b"[" * 50000 + b"]" * 50000 + b"}", 2),
    ):
        case(f"body {text[:40]!r}", expected, body(text))
    # Statement (section 1)
    for time, expected in (
        ("2024-02-29T23:59:59.000Z", 0),
        ("2026-02-29T00:00:00.000Z", 2),
        ("2016-12-31T23:59:60.000Z", 2),
        ("2026-01-01T24:00:00.000Z", 2),
        ("1969-01-01T00:00:00.000Z", 0),
        ("0000-02-29T00:00:00.000Z", 0),
        ("9999-12-30T22:00:00.000Z", 0),
        ("9999-12-30T22:00:00.001Z", 2),
        ("2026-01-01T00:00:00Z", 2),
        ("2026-01-01T00:00:00.0000Z", 2),
        ("2026-01-01t00:00:00.000z", 2),
        ("2026-01-01T00:00:00.000+00:00", 2),
        ("", 2),
    ):
        case(f"time {time}", expected, predicate(time=time))
    for actor, expected in (("", 2), ("é" * 100, 0), ("a" * 201, 2), ("a\x1f", 2), ("a\x7f", 2), ("a\x9f", 2), ("\u2028", 0), (" ", 0), ('"\\', 0)):
        case(f"actor {actor[:4]!r}", expected, predicate(actor=actor))
        case(f"key {actor[:4]!r}", expected, predicate(key=actor))
    for name, fields, expected in (
        ("unknown field", {"x": 1}, 2),
        ("tool of empty texts", {"tool": {"name": "", "version": ""}}, 0),
        ("tool with more", {"tool": {"name": "a", "version": "1", "x": 1}}, 2),
        ("tool of a number", {"tool": {"name": "a", "version": 1}}, 2),
        ("tool named by a number", {"tool": {"name": 1, "version": "1"}}, 2),
        ("negative size", {"ledger": {"root": ZERO, "size": -1}}, 2),
        ("younger than itself", {"ledger": {"root": ZERO, "size": 8}}, 2),
        ("size is the index", {"ledger": {"root": ZERO, "size": 7}}, 0),
        ("upper-case root", {"ledger": {"root": "sha256:" + "A" * 64, "size": 0}}, 2),
        ("seq true", {"seq": True}, 2),
        ("prev null", {"prev": None}, 2),
        ("from the beginning", {"prev": None, "seq": 0}, 2),
        ("a seq left out", {"seq": 9}, 2),
        ("another prev", {"prev": ZERO}, 2),
        ("body null", {"body": None}, 2),
    ):
        case(name, expected, predicate(**fields))
    digest = {"sha256": "0" * 64}
    for name, subject, expected in (
        ("none", [], 2),
        ("empty name", [{"digest": digest, "name": ""}], 0),
        ("no name", [{"digest": digest}], 2),
        ("two digests", [{"digest": {**digest, "sha512": "0"}, "name": "a"}], 2),
        ("uri", [{"digest": digest, "name": "a", "uri": "b"}], 2),
        ("upper-case hex", [{"digest": {"sha256": "A" * 64}, "name": "a"}], 2),
        ("many", [{"digest": digest, "name": "a"}] * 999, 0),
    ):
        case(f"subject: {name}", expected, top(subject=subject))
    for kind, expected in (("a" * 64, 0), ("a" * 65, 2), ("1a", 2), ("-a", 2), ("a-", 0), ("A", 2), ("a.b", 2), ("", 2)):
        case(f"kind {kind[:4]}, {len(kind)}", expected, top(predicateType=f"https://gonogo.dev/attestation/{kind}/v1"))
    case("predicate v2", 2, top(predicateType="https://gonogo.dev/attestation/note/v2"))
    case("another type of statement", 2, top(_type="https://in-toto.io/Statement/v0.1"))
    case("a field beside the predicate", 2, top(x=1))
    for size, expected in ((2**20, 0), (2**20 + 1, 2)):
        case(
            f"statement of {size} bytes",
            expected,
            note(raw=lambda payload, size=size: payload.replace(b'"body":{}', b'"body":{"a":"' + b"x" * (size - len(payload) - 6) + b'"}')),
        )
    for name, expected in (
        ("foo", 0),
        ("incident/a/b", 0),
        ("operation/..", 0),
        ("operation/" + "a" * 190, 0),
        ("operation/" + "a" * 191, 2),
        ("a b", 2),
        ("a//b", 2),
        ("/a", 2),
        ("a/", 2),
        ("é", 2),
    ):
        case(f"stream {name[:14]}, {len(name)}", expected, note(name), listed=listed + [name])
    # Envelope and signatures (sections 2, 3)

    def scaled(high):
        def sign(message):
            r, s = decode_dss_signature(CONTROLLER.sign(message))
            return encode_dss_signature(r, max(s, ORDER - s) if high else min(s, ORDER - s))

        return sign

    def long_form(message):
        der = scaled(False)(message)
        return b"\x30\x81" + der[1:]

    def beyond(message):
        r, s = decode_dss_signature(CONTROLLER.sign(message))
        return encode_dss_signature(r, s + ORDER)

    def unused(raw):
        text = b64(raw)
        return text[:-3] + chr(ord(text[-3]) + 1) + "=="

    for name, how, expected in (
        ("unused bits in the leaf's key", {"leaf": lambda t: t.replace(b64(CONTROLLER.spki).encode(), unused(CONTROLLER.spki).encode())}, 2),
        ("high s", {"sign": scaled(True)}, 0),
        ("low s", {"sign": scaled(False)}, 0),
        ("length in long form", {"sign": long_form}, 2),
        ("s beyond the order", {"sign": beyond}, 2),
        ("a byte after the signature", {"sign": lambda m: CONTROLLER.sign(m) + b"\0"}, 2),
        ("by another key", {"sign": STRANGER.sign}, 2),
        ("by another key, under the name of one that may sign", {"signer": STRANGER, "keyid": CONTROLLER.fingerprint()}, 2),
        ("no signature", {"sign": lambda m: b""}, 2),
        ("another fingerprint", {"keyid": STRANGER.fingerprint()}, 2),
        ("key id in hex", {"keyid": CONTROLLER.keyid}, 2),
        ("fingerprint in lower case", {"keyid": CONTROLLER.fingerprint().lower()}, 2),
        ("fingerprint with padding", {"keyid": CONTROLLER.fingerprint() + "="}, 2),
        ("a space in the leaf", {"leaf": lambda t: t + b" "}, 2),
        ("another digest in the leaf", {"leaf": lambda t: t.replace(b'"digest":"', b'"digest":"AAAA')}, 2),
        ("by nobody known", {"signer": STRANGER}, 2),
    ):
        case(f"signature: {name}", expected, note(**how))
    crooked = Signer(1001)
    crooked.spki = crooked.spki[:-1] + bytes([crooked.spki[-1] ^ 1])
    crooked.keyid = sha256(crooked.spki).hex()
    case("signature: key off the curve", 2, note(signer=crooked))
    # Keys (section 6)

    def revoke(signer, **changes):
        return {"event": "revoke", "keyid": signer.keyid, "why": "lost", **changes}

    def shaped(spki):
        return enrol(STRANGER, "person", spki=b64(spki), keyid=sha256(spki).hex())

    for name, steps, expected, changes in (
        ("an enrolment more", [event(enrol(STRANGER, "person"))], 0, {}),
        ("enrolled twice", [event(enrol(PERSON, "person"))], 2, {}),
        ("another role", [event(enrol(PERSON, "controller"))], 2, {}),
        ("enrolled by a person", [event(enrol(STRANGER, "person"), PERSON)], 2, {}),
        ("role and who are any text", [event(enrol(STRANGER, "", who="\n"))], 0, {}),
        ("a field more", [event(enrol(STRANGER, "person", x=1))], 2, {}),
        ("a role that is a number", [event(enrol(STRANGER, 1))], 2, {}),
        ("a key off the curve", [event(enrol(crooked, "person"))], None, {}),
        ("a key in hex", [event(enrol(STRANGER, "person", spki=STRANGER.spki.hex()))], 2, {}),
        ("a key with unused bits", [event(enrol(STRANGER, "person", spki=unused(STRANGER.spki)))], 2, {}),
        ("a key of 90 bytes", [event(shaped(STRANGER.spki[:-1]))], 2, {}),
        ("a key of 92 bytes", [event(shaped(STRANGER.spki + b"\0"))], 2, {}),
        ("a key with a newline after it", [event(enrol(STRANGER, "person", spki=b64(STRANGER.spki) + "\n"))], 2, {}),
        ("a key that does not begin with 04", [event(shaped(STRANGER.spki[:26] + b"\5" + STRANGER.spki[27:]))], 2, {}),
        ("a revocation with a field more", [event(revoke(PERSON, x=1))], 2, {}),
        ("a revocation for a number", [event(revoke(PERSON, why=1))], 2, {}),
        ("a revocation of an upper-case id", [event(revoke(PERSON, keyid="A" * 64))], 2, {}),
        (
            "no event, but a body like one",
            [note(body={"event": "enrol", "keyid": STRANGER.keyid, "role": "controller"}), note(signer=STRANGER)],
            2,
            {},
        ),
        ("another key id", [event(enrol(STRANGER, "person", keyid="0" * 64))], 2, {}),
        ("no P-256 key", [event(shaped(b"abc"))], 2, {}),
        ("a second controller", [event(enrol(STRANGER, "controller")), event(enrol(Signer(5), "person"), STRANGER), note(signer=STRANGER)], 0, {}),
        ("revoked at the end", [event(revoke(PERSON))], 0, {}),
        ("revoked, then signs", [event(revoke(CONTROLLER)), note()], 2, {}),
        ("revoked twice", [event(revoke(PERSON)), event(revoke(PERSON))], 0, {}),
        ("revoked, then enrolled again", [event(revoke(PERSON)), event(enrol(PERSON, "person"))], 2, {}),
        ("a key unknown is revoked, then enrolled", [event(revoke(STRANGER)), event(enrol(STRANGER, "controller")), note(signer=STRANGER)], 0, {}),
        ("revokes itself", [event(enrol(STRANGER, "controller")), event(revoke(STRANGER), STRANGER)], 0, {}),
        ("the only controller revokes itself", [event(revoke(CONTROLLER))], 2, {}),
        (
            "a new controller makes the manifest",
            [event(enrol(STRANGER, "controller")), event(revoke(CONTROLLER))],
            0,
            {"manifest_options": {"signer": STRANGER}},
        ),
        ("revoked by a person", [event(revoke(CONTROLLER), PERSON)], 2, {}),
        ("another event", [event({"event": "x"})], 2, {}),
        ("an event in another stream", [event(enrol(STRANGER, "person"), where=stream)], 2, {}),
        ("no event, in another stream", [event({"x": 1}, where=stream)], 2, {}),
        ("system is listed", [], 0, {"listed": listed + ["system"]}),
        ("another kind in system", [note("system")], 2, {}),
        ("another kind in system, listed", [note("system")], 0, {"listed": listed + ["system"]}),
        ("an event with another seq", [event(enrol(STRANGER, "person"), alter=lambda s: s["predicate"].update(seq=77))], 0, {}),
        ("an event with seq 0 and prev", [event(enrol(STRANGER, "person"), alter=lambda s: s["predicate"].update(seq=0))], 2, {}),
        ("an event with seq 1 and no prev", [event(enrol(STRANGER, "person"), alter=lambda s: s["predicate"].update(prev=None))], 2, {}),
        ("an event with another sort of prev", [event(enrol(STRANGER, "person"), alter=lambda s: s["predicate"].update(prev="0"))], 2, {}),
        ("manifest by a person", [], 2, {"manifest_options": {"signer": PERSON}}),
        ("leaf 0 is left out", [], 2, {"keep": lambda r: r["index"] != 0}),
        ("an enrolment is left out", [], 2, {"keep": lambda r: r["index"] != 1}),
        ("a record is left out", [], 2, {"keep": lambda r: r["index"] != 4}),
        ("the last record is left out", [note()], 2, {"keep": lambda r: r["index"] != 7}),
        ("another stream's record is left out", [note("incident/x")], 0, {"keep": lambda r: r["index"] != 7}),
        ("an unlisted stream", [note("incident/x")], 2, {}),
    ):
        case(f"keys: {name}", expected, steps, **changes)
    # Manifest (section 9)
    for name, fields, expected in (
        ("verdict is a number", {"verdict": 1}, 2),
        ("verdict is any text", {"verdict": "\n"}, 0),
        ("a field more", {"x": 1}, 2),
        ("another format", {"format": "gonogo.packet.v3"}, 2),
        ("no streams", {"streams": []}, 2),
        ("another count", {"records": {"count": 5, "digest": ZERO}}, 2),
        ("a blob is left out", {"omitted": [{"blob": ZERO, "reason": ""}]}, 3),
        ("left out, with more fields", {"omitted": [{"blob": ZERO, "reason": "", "x": 1}]}, 2),
        ("left out, for a number", {"omitted": [{"blob": ZERO, "reason": 1}]}, 2),
        ("left out, upper-case digest", {"omitted": [{"blob": "sha256:" + "A" * 64, "reason": ""}]}, 2),
        ("nothing is left out, as an object", {"omitted": {}}, 2),
    ):
        case(f"manifest: {name}", expected, manifest=lambda said, fields=fields: {**said, **fields})
    case("manifest: a stream of none", 2, manifest=lambda said: said["streams"].append({"stream": "incident/x", "count": 0, "head": ZERO}))
    case("manifest: a stream twice", 2, listed=listed + [stream])
    case("manifest: a count that is no number", 2, note("incident/x"), listed=listed + ["incident/x"], manifest=lambda s: s["streams"][-1].update(count=True))
    case("manifest: a stream with more fields", 2, manifest=lambda said: said["streams"][0].update(x=1))
    case("manifest: of a stream that is not listed", 2, stream="incident/x")
    earlier = note("packet/" + stream, {}, "packet-manifest")
    case("manifest: not the first of its stream, which is listed", 0, earlier, listed=listed + ["packet/" + stream])
    case("manifest: streams in another order", 0, listed=listed[::-1])
    for name, fields, expected in (
        ("another stream", {"stream": "packet/incident/x"}, 2),
        ("no packet's stream", {"stream": stream}, 2),
        ("no packet's stream, but one as long", {"stream": "pocket/" + stream}, 2),
        ("later in its stream", {"seq": 5, "prev": ZERO}, 0),
        ("younger than itself", {"ledger": {"root": ZERO, "size": 100}}, 2),
    ):
        case(f"manifest: {name}", expected, manifest_options={"alter": lambda s, fields=fields: s["predicate"].update(fields)})
    case("manifest: another kind", 2, manifest_options={"alter": lambda s: s.update(predicateType="https://gonogo.dev/attestation/note/v1")})
    case("manifest: bad signature", 2, manifest_options={"sign": STRANGER.sign})
    case("blobs", 0, blobs=[b"", b"hello"])
    # Notes (section 4)

    def line(name, raw):
        return f"— {name} {b64(raw)}\n"

    def long_line(text):
        signed = LOG.key.sign(f"cosignature/v1\ntime 5\n{text}".encode())
        return line(ORIGIN, LOG.full[:4] + (5).to_bytes(8, "big") + signed)

    def short_line(text):
        return line(WITNESSES[0].name, WITNESSES[0].full[:4] + WITNESSES[0].key.sign(text.encode()))

    def after(more):
        return lambda text, checkpoint: checkpoint + (more(text) if callable(more) else more)

    def instead(change):
        return lambda text, checkpoint: change(text) + "\n" + LOG.line(change(text))

    for name, change, expected in (
        ("no signature", lambda t, c: t + "\n", 2),
        ("an unknown line", after(WITNESSES[0].line), 0),
        ("an unknown line first", lambda t, c: t + "\n" + WITNESSES[0].line(t) + LOG.line(t), 0),
        ("64 lines", after(line("x", bytes(9)) * 63), 0),
        ("65 lines", after(line("x", bytes(9)) * 64), 2),
        ("signed twice", after(LOG.line), 0),
        ("signed well and badly", after(lambda t: LOG.line(t, spoil=True)), 2),
        ("another key of the name", lambda t, c: t + "\n" + OTHER_LOG.line(t), 2),
        ("another key too", after(OTHER_LOG.line), 0),
        ("the log signs as a witness", lambda t, c: t + "\n" + long_line(t), 2),
        ("the log signs as a witness, too", after(lambda t: long_line(t)), 2),
        ("short signature of the log", after(line(ORIGIN, LOG.full[:4] + bytes(10))), 2),
        ("4 bytes", after(line("x", bytes(4))), 2),
        ("5 bytes", after(line("x", bytes(5))), 0),
        ("+ in a name", after(line("a+b", bytes(9))), 2),
        ("white space in a name", after(line("a\u00a0b", bytes(9))), 2),
        ("C1 in a name", after(line("a\u009fb", bytes(9))), 0),
        ("DEL in a name", after(line("a\x7fb", bytes(9))), 0),
        ("a control character in a name", after(line("a\x01b", bytes(9))), 2),
        ("no name", after(line("", bytes(9))), 2),
        ("tab in a name", after("— a\tb AAAAAAAAAAAA\n"), 2),
        ("quotes in a name", after(line('a"\\b', bytes(9))), 0),
        ("no padding", after("— x AAAAAAAAAAA\n"), 2),
        ("unused bits", after("— x AAAAAAAAAAB=\n"), 2),
        ("URL alphabet", after("— x ____AAAAAAAA\n"), 2),
        ("two spaces", after("—  x AAAAAAAAAAAA\n"), 2),
        ("a hyphen", after("- x AAAAAAAAAAAA\n"), 2),
        ("no last newline", lambda t, c: c[:-1], 2),
        ("a newline more", after("\n"), 2),
        ("CRLF", lambda t, c: c.replace("\n", "\r\n"), 2),
        ("an extension line", instead(lambda t: t + "x\n"), 2),
        ("two lines", instead(lambda t: t.rsplit("\n", 2)[0] + "\n"), 2),
        ("leading zero", instead(lambda t: t.replace("\n8\n", "\n08\n")), 2),
        ("another root", instead(lambda t: t.rsplit("\n", 2)[0] + "\n" + ONE_LINE.decode()), 2),
        ("another size", instead(lambda t: t.replace("\n8\n", "\n9\n")), 2),
        ("another origin", instead(lambda t: "x" + t), 2),
    ):
        case(f"note: {name}", expected, note=change)
    # Policies and quorums (section 5)
    log, none = f"log {LOG.vkey}\n", "quorum none\n"
    own = [f"witness w{n} {key.vkey}\n" for n, key in enumerate(WITNESSES)]
    two, every = "group g 2 w0 w1 w2\nquorum g\n", "group g all w0 w1 w2\nquorum g\n"
    nested = "group g any w0 w1\ngroup h all g w2\nquorum h\n"

    def cosigned(*which, **how):
        return lambda text, checkpoint: checkpoint + "".join(WITNESSES[n].line(text, **how) for n in which)

    for name, rule, change, expected in (
        ("one of two", two, cosigned(0), 3),
        ("two of two", two, cosigned(0, 2), 0),
        ("one twice", two, cosigned(1, 1), 3),
        ("all", every, cosigned(0, 1, 2), 0),
        ("not all", every, cosigned(0, 1), 3),
        ("any", "group g any w0 w1 w2\nquorum g\n", cosigned(1), 0),
        ("nobody", "group g any w0 w1 w2\nquorum g\n", cosigned(), 3),
        ("groups", nested, cosigned(1, 2), 0),
        ("groups, unmet", nested, cosigned(0, 1), 3),
        ("one named", "quorum w0\n", cosigned(0), 0),
        ("another named", "quorum w1\n", cosigned(0), 3),
        ("enough, and a bad one", two, lambda t, c: c + WITNESSES[0].line(t) + WITNESSES[1].line(t) + WITNESSES[2].line(t, spoil=True), 2),
        ("a bad one that is not asked for", "quorum w0\n", lambda t, c: c + WITNESSES[0].line(t) + WITNESSES[2].line(t, spoil=True), 2),
        ("a bad one, none asked for", none, lambda t, c: c + WITNESSES[2].line(t, spoil=True), None),
        ("time 0", "quorum w0\n", cosigned(0, time=0), 0),
        ("time 2^63 - 1", "quorum w0\n", cosigned(0, time=2**63 - 1), 0),
        ("time 2^63", "quorum w0\n", cosigned(0, time=2**63), 2),
        ("as a log signs", "quorum w0\n", after(short_line), 2),
        ("of another text", "quorum w0\n", lambda t, c: c + WITNESSES[0].line("x" + t), 2),
        ("short", "quorum w0\n", after(line(WITNESSES[0].name, WITNESSES[0].full[:4] + bytes(64))), 2),
    ):
        case(f"quorum: {name}", expected, note=change, reader={"policy": (log + "".join(own) + rule).encode()})
    longer = NoteKey("x", 9)
    longer.public += b"\0"
    longer.full = sha256(b"x\n\1" + longer.public)
    longer = f"x+{longer.full[:4].hex()}+{b64(bytes([1]) + longer.public)}"
    many = "".join(f"witness x{n} {NoteKey('x', 100 + n, 4).vkey}\n" for n in range(256))
    groups = "".join(f"group g{n} any x{n}\n" for n in range(256))
    other, renamed = NoteKey("other", 9), NoteKey("renamed", 2001)
    for name, text, expected in (
        ("plain", log + none, 0),
        ("two logs", f"log {other.vkey}\n" + log + none, 0),
        ("another key", f"log {OTHER_LOG.vkey}\n" + none, 2),
        ("another name", f"log {renamed.vkey}\n" + none, 2),
        ("no log", none, 2),
        ("no last newline", (log + none)[:-1], 65),
        ("tabs and spaces", " \t" + log.replace(" ", "\t ") + " \n  # x\n" + none, 0),
        ("CRLF", (log + none).replace("\n", "\r\n"), 65),
        ("a control character", log + "# \x01\n" + none, 65),
        ("a form feed", log + "# \x0c\n" + none, 65),
        ("DEL", log + "# \x7f\n" + none, 65),
        ("C1", log + "# \x80\n" + none, 0),
        ("other white space", log.replace(" ", "\u00a0") + none, 65),
        ("of 256 KiB", log + none + "#" * (2**18 - len(log + none) - 1) + "\n", 0),
        ("of more than 256 KiB", log + none + "#" * (2**18 - len(log + none)) + "\n", 65),
        ("a log without its key", "log\n" + none, 65),
        ("a log of another name", f"log {NoteKey('é' * 127 + 'a', 9).vkey}\n" + log + none, 0),
        ("a name that is too long", f"log {NoteKey('é' * 128, 9).vkey}\n" + log + none, 65),
        ("white space in a name", f"log {NoteKey('a' + chr(0x2003) + 'b', 9).vkey}\n" + log + none, 65),
        ("C1 in a name", f"log {NoteKey('a' + chr(0x80) + 'b', 9).vkey}\n" + log + none, 65),
        ("no name", f"log {NoteKey('', 9).vkey}\n" + log + none, 65),
        ("a key of 33 bytes", f"log {longer}\n" + log + none, 65),
        ("a key with more after it", f"log {LOG.vkey}A\n" + none, 65),
        ("a witness with an address", log + own[0][:-1] + " https://a\n" + none, 0),
        ("a witness with two addresses", log + own[0][:-1] + " a b\n" + none, 65),
        ("a witness without a name", log + f"witness {WITNESSES[0].vkey}\n" + none, 65),
        ("an unknown line like a group", log + own[0] + "x g any w0\n" + none, 65),
        ("an unknown line like a quorum", log + "x none\n", 65),
        ("an unknown line like a log", "x " + log[4:] + none, 65),
        ("an unknown line like a witness", log + own[0].replace("witness", "x") + none, 65),
        ("a quorum of two", log + own[0] + own[1] + "quorum w0 w1\n", 65),
        ("a group named as a witness", log + own[0] + own[1] + "group w0 any w1\n" + none, 65),
        ("a group of itself and another", log + own[0] + "group g all w0 g\n" + none, 65),
        ("none in a group", log + own[0] + "group g any w0 none\n" + none, 65),
        ("256 logs", "".join(f"log {NoteKey('x', 100 + n).vkey}\n" for n in range(255)) + log + none, 0),
        ("257 logs", "".join(f"log {NoteKey('x', 100 + n).vkey}\n" for n in range(256)) + log + none, 65),
        ("256 witnesses", log + many + none, 0),
        ("256 groups", log + many + groups + none, 0),
        ("257 groups", log + many + groups + "group y any g0 g1\n" + none, 65),
        ("address", log[:-1] + " https://a\n" + none, 0),
        ("two addresses", log[:-1] + " a b\n" + none, 65),
        ("a log twice", log + log + none, 65),
        ("a key twice", log + f"log {renamed.vkey}\n" + none, 65),
        ("a witness twice", log + own[0] + own[0].replace("w0", "x", 1) + none, 65),
        ("a name twice", log + own[0] + own[1].replace("w1", "w0", 1) + none, 65),
        ("two quorums", log + none + none, 65),
        ("no quorum", log, 65),
        ("unknown quorum", log + "quorum x\n", 65),
        ("quorum too early", log + "quorum w0\n" + own[0], 65),
        ("empty", "", 65),
        ("a witness named none", log + own[0].replace("w0", "none", 1) + none, 65),
        ("0 of a group", log + own[0] + "group g 0 w0\n" + none, 65),
        ("2 of 1", log + own[0] + "group g 2 w0\n" + none, 65),
        ("01 of a group", log + own[0] + "group g 01 w0\n" + none, 65),
        ("a group of none", log + "group g any\n" + none, 65),
        ("a member twice", log + own[0] + "group g any w0 w0\n" + none, 65),
        ("a member of two", log + own[0] + "group g any w0\ngroup h any w0\n" + none, 65),
        ("a later member", log + "group g any w0\n" + own[0] + none, 65),
        ("its own member", log + "group g any g\n" + none, 65),
        ("a witness as log", f"log {WITNESSES[0].vkey}\n" + none, 65),
        ("a log as witness", log + f"witness x {LOG.vkey}\n" + none, 65),
        ("the log's own key as a witness", log + f"witness x {NoteKey('x', 2001, 4).vkey}\n" + none, 65),
        ("the log's own key as a witness before it", f"witness x {NoteKey('x', 2001, 4).vkey}\n" + log + "quorum x\n", 65),
        ("an unknown word", log + "x\n" + none, 65),
        ("a wrong key id", log.replace("+" + LOG.vkey.split("+")[1], "+00000000") + none, 65),
        ("257 witnesses", log + "".join(f"witness x{n} {NoteKey('x', 100 + n, 4).vkey}\n" for n in range(257)) + none, 65),
        *(
            (f"{n} groups in each other", log + own[0] + "group g0 any w0\n" + "".join(f"group g{m} any g{m - 1}\n" for m in range(1, n)) + last, 0)
            for n, last in ((64, "quorum g63\n"), (256, "quorum g255\n"))
        ),
    ):
        case(f"policy: {name}", expected, note=cosigned(0), reader={"policy": text.encode()})
    for name, text, expected in (
        ("of another log", f"log {other.vkey}\n" + none, 2),
        ("of two logs", f"log {other.vkey}\n" + log + none, 0),
        ("is none", "x\n", 2),
        ("asks for witnesses", log + own[0] + "quorum w0\n", 0),
    ):
        case(f"trust/policy {name}", expected, policy=text)
    for name, key in (
        ("is none", "x"),
        ("is empty", ""),
        ("with an address", LOG.vkey + " https://a"),
        ("with a newline", LOG.vkey + "\n"),
        ("with white space", NoteKey("a\u00a0b", 2001).vkey),
        ("with a control character", NoteKey("a\x01b", 2001).vkey),
        ("of 33 bytes", longer),
        ("of a witness", WITNESSES[0].vkey),
    ):
        case(f"log key {name}", 64, reader={"key": key})
    for name, key, more, expected in (
        ("an unknown option", LOG.vkey, ["--unknown"], 64),
        ("a key and a policy", LOG.vkey, ["--policy", "absent"], 64),
        ("a second packet", LOG.vkey, ["absent"], 64),
        ("an absent policy", None, ["--policy", "absent"], 66),
        ("an absent checkpoint", LOG.vkey, ["--since", "absent"], 66),
        ("an absent artifact", LOG.vkey, ["--artifact", "absent"], 66),
    ):
        case(f"command: {name}", expected, reader={"key": key, "arguments": more})
    # History (section 8, check 10)
    sizes = (1, 2, 3, 4, 5, 6)
    files, ledger = forge(stream=stream, fill=fill, listed=listed, consistency=sizes, more=3)
    linked, total = archive(files), len(ledger.records)
    bare = archive(forge(stream=stream, fill=fill, listed=listed, more=3)[0])

    def kept(size, key=LOG, root=None, origin=ORIGIN):
        root = root or (ledger.subroot(0, size) if size else sha256(b""))
        text = f"{origin}\n{size}\n{b64(root)}\n"
        return (text + "\n" + key.line(text)).encode()

    fork = bytes(32)
    for size in sizes:
        out += [
            Case(f"since {size}", 0, linked, {"since": [kept(size)]}),
            Case(f"since a fork of {size}", 2, linked, {"since": [kept(size, root=fork)]}),
            Case(f"since {size}, no proof", 3, bare, {"since": [kept(size)]}),
        ]
    for name, notes, expected in (
        ("the same", [kept(total)], 0),
        ("a fork of the same", [kept(total, root=fork)], 2),
        ("later", [kept(total + 1, root=fork)], 3),
        ("no proof", [kept(8)], 3),
        ("0", [kept(0)], 0),
        ("0, another root", [kept(0, root=fork)], 3),
        ("a root of 31 bytes", [kept(3, root=bytes(31))], 3),
        ("another key", [kept(3, OTHER_LOG)], 3),
        ("another origin", [kept(3, origin="x")], 3),
        ("no note", [b"x"], 3),
        ("two", [kept(3), kept(4)], 0),
        ("one and a fork", [kept(3), kept(4, root=fork)], 2),
        ("no link and a fork", [kept(8), kept(4, root=fork)], 2),
        ("no note and a fork", [b"x", kept(4, root=fork)], 2),
        ("no note and one", [b"x", kept(4)], 3),
    ):
        out.append(Case(f"since {name}", expected, linked, {"since": notes}))
    out += [
        Case("since, no trust", 1, linked, {"key": None, "since": [kept(3)]}),
        Case("since no link, no trust", 3, linked, {"key": None, "since": [kept(8)]}),
        Case("since a fork, no trust", 2, linked, {"key": None, "since": [kept(3, root=fork)]}),
    ]
    for size in (2, 3, 4, 6):
        for name, change in (
            ("empty", lambda b: b""),
            ("one more", lambda b: b + ONE_LINE),
            ("one less", lambda b: b[45:]),
            ("another", lambda b: ONE_LINE + b[45:]),
            ("no newline", lambda b: b[:-1]),
            ("an empty line", lambda b: b + b"\n"),
            ("65", lambda b: ONE_LINE * 65),
        ):

            def broken(files, change=change, name=f"consistency/{size}.proof"):
                files[name] = change(files[name])

            case(f"consistency of {size}: {name}", 2, consistency=(size,), files=broken)
    # Inclusion (check 6)
    for which in (0, 3, 7):  # leaf 7 is the manifest
        for name, change in (
            ("another hash", lambda index, path: (index, path[:-1] + [bytes(32)])),
            ("one hash less", lambda index, path: (index, path[:-1])),
            ("one hash more", lambda index, path: (index, path + [bytes(32)])),
            ("no hash", lambda index, path: (index, [])),
            ("65 hashes", lambda index, path: (index, path + [bytes(32)] * 65)),
            ("the index after", lambda index, path: (index + 1, path)),
            ("an index beyond the tree", lambda index, path: (index + 8, path)),
        ):
            case(
                f"inclusion of leaf {which}: {name}",
                2,
                place=lambda record, path, which=which, change=change: (
                    change(record["index"], path) if record["index"] == which else (record["index"], path)
                ),
            )
    def whole(files):
        files["consistency/8.proof"] = b""

    case("consistency of the whole tree", 2, files=whole)
    for count, expected in ((1024, 0), (1025, 2)):
        pad = lambda ledger: ledger.records.extend({"hash": bytes(32)} for _ in range(1100))  # noqa: E731
        case(f"{count} consistency proofs", expected, consistency=range(1, count + 1), grow=pad)
    # Trees as only the log itself can make them: where the manifest would lie, lies a node above it, and more of the kind

    def deeper(ledger):
        ledger.records[7]["hash"] = sha256(b"\1" + bytes(32) + sha256(b"\0" + ledger.records[7]["leaf"]))

    def below(index):
        return lambda record, path: (index, [bytes(32), *path]) if record["index"] == 7 else (record["index"], path)

    case("inclusion: a level below the leaves", 2, grow=deeper, place=below(7))
    case("inclusion: beyond the tree", 2, grow=deeper, place=below(15))
    case("inclusion: 31 bytes for a hash", 2, grow=lambda ledger: ledger.records.append({"hash": bytes(31)}))
    case("inclusion: 32 bytes for a hash", 0, grow=lambda ledger: ledger.records.append({"hash": bytes(32)}))
    case("inclusion: 2^62 leaves", 0, tall=62)
    case("inclusion: 2^63 leaves", 2, tall=63)
    case("inclusion: in another order", 2, order=lambda kept: [kept[0], kept[2], kept[1], *kept[3:]])
    case("inclusion: a record twice", 2, order=lambda kept: [kept[0], *kept])
    case("inclusion: a revocation twice", 2, event(revoke(PERSON)), order=lambda kept: [*kept, kept[-1]])
    case("inclusion: a revocation too early", 2, event(revoke(STRANGER)), order=lambda kept: [kept[0], kept[-1], *kept[1:-1]])
    # Members and archive (section 9)
    for name, expected in (
        ("x", 2),
        ("records/000007.sigstore.json", 2),
        ("records/0000000.sigstore.json", 2),
        ("proofs/000007.tlog-proof", 2),
        ("blobs/sha256/" + "0" * 64, 2),
        ("blobs/sha256/" + sha256(b"x").hex(), 2),
        ("consistency/0.proof", 2),
        ("consistency/03.proof", 2),
        ("consistency/8.proof", 2),
        ("consistency/100.proof", 2),
        ("consistency/99999999999999999999.proof", 2),
        ("checkpoint.tsr", 0),
        ("checkpoint.tsx", 2),
        ("trust/x", 2),
        ("é", 2),
        ("a" * 100, 2),
    ):
        case(f"added {name[:40]}", expected, files=lambda files, name=name: files.update({name: b"x"}))

    def misnamed(files, name):
        files[name] = b"x"
        files["packet.json"] = files["packet.json"].replace(b'"blobs":0', b'"blobs":1')

    case("a blob with another digest", 2, older=lambda files: misnamed(files, "blobs/sha256/" + "0" * 64))
    case("a blob in another place", 2, older=lambda files: misnamed(files, "blobs/sha257/" + sha256(b"x").hex()))
    case("a blob in its place", 0, older=lambda files: misnamed(files, "blobs/sha256/" + sha256(b"x").hex()))
    case("consistency/03.proof", 2, consistency=[3], files=lambda files: files.update({"consistency/03.proof": files.pop("consistency/3.proof")}))
    case("checkpoint of more than 256 KiB", 2, note=after(line("x", bytes(200_000))))

    def renamed_origin(files):
        for name in ("packet.json", "trust/trusted_root.json"):
            files[name] = files[name].replace(ORIGIN.encode(), b"x" + ORIGIN.encode())

    case("an origin that is not the key's name", 2, older=renamed_origin, note=instead(lambda t: "x" + t))
    case("time-stamp of 256 KiB", 0, files=lambda files: files.update({"checkpoint.tsr": bytes(2**18)}))
    case("time-stamp of more", 2, files=lambda files: files.update({"checkpoint.tsr": bytes(2**18 + 1)}))
    good = forge(stream=stream, fill=fill, listed=listed)[0]
    for name in sorted(good):
        if "/00000" not in name or "3" in name:
            case(f"without {name}", 2, files=lambda files, name=name: files.pop(name))
            case(f"empty {name}", 2, files=lambda files, name=name: files.update({name: b""}))
            case(f"newline after {name}", 2, files=lambda files, name=name: files.update({name: files[name] + b"\n"}))
    for name, member, one, two_ in (
        ("other blobs", "packet.json", b'"blobs":0', b'"blobs":1'),
        ("other origin", "packet.json", b"log.example", b"log.examples"),
        ("other stream", "packet.json", stream.encode(), plan.encode()),
        ("newline", "packet.json", b"}", b"}\n"),
        ("http", "trust/trusted_root.json", b"https://", b"http://"),
        ("newline", "trust/trusted_root.json", b"]}", b"]}\n"),
    ):
        case(f"{member}: {name}", 2, older=lambda files, member=member, one=one, two_=two_: files.update({member: files[member].replace(one, two_)}))
    raw = archive(good)
    first = archive({"SHA256SUMS": good["SHA256SUMS"]})[:-1024]
    nameless = archive({"": b"", **good})
    out += [
        Case(f"archive: {name}", expected, text, {})
        for name, text, expected in (
            ("plain", raw, 0),
            ("no end", raw[:-1024], 2),
            ("half an end", raw[:-512], 2),
            ("more end", raw + bytes(512), 2),
            ("tar's own blocking", raw + bytes(-len(raw) % 10240 or 10240), 2),
            ("nothing", b"", 2),
            ("only an end", bytes(1024), 2),
            ("twice", raw[:-1024] + raw, 2),
            ("a member twice", first + raw, 2),
            ("a nameless member", bytes(0) + nameless, 2),
            ("gnu", raw.replace(b"ustar\x0000", b"ustar  \0", 1), 2),
        )
    ]
    # A directory is a packet, too
    out += [
        Case(f"directory: {name}", expected, raw, {"unpacked": changes})
        for name, changes, expected in (
            ("plain", [], 0),
            ("an empty directory", [("directory", "x")], 0),
            ("an empty one in it", [("directory", "x/y")], 0),
            ("one deeper than members", [("directory", "x/y/z")], 2),
            ("a file more", [("file", "x")], 2),
            ("a deep file", [("directory", "blobs/sha256"), ("file", "blobs/sha256/x")], 2),
            ("a pipe", [("pipe", "x")], 2),
            ("a link for a member", [("linked", "checkpoint")], 2),
            ("a link for the members' directory", [("linked", "records")], 2),
        )
    ]
    # A manifest of another packet, in a listed stream (section 6)
    for name, signer, expected in (("a controller", CONTROLLER, 0), ("a person", PERSON, 2)):
        earlier = note("packet/incident/x", {}, "packet-manifest", signer)
        case(f"an earlier manifest by {name}", expected, earlier, listed=listed + ["packet/incident/x"])
    # Artifact (check 13)

    def about(where, *texts):
        return note(where, alter=lambda s: s.update(subject=[{"digest": {"sha256": sha256(text).hex()}, "name": "n"} for text in texts]))

    def beginning(*texts):
        """The release again, with an operation that begins about these, too; as a fill."""
        again = copy.deepcopy(said)
        begun = next(s for s in again if s["predicateType"].endswith("/operation/v1"))
        begun["subject"] += [{"digest": {"sha256": sha256(text).hex()}, "name": "n"} for text in texts]
        return {"fill": release(again)[1]}

    fingerprint = next(s for s in said if s["predicateType"].endswith("/operation/v1"))["subject"]

    def planned(where, kind="plan", signer=PERSON):
        """A record about what the operation is about, and about x."""
        more = [{"digest": {"sha256": sha256(b"x").hex()}, "name": "n"}]
        return note(where, None, kind, signer, alter=lambda s: s.update(subject=fingerprint + more))

    for name, steps, wanted, expected, changes in (
        ("nothing", [], b"x", 2, {}),
        ("of the beginning", [], b"x", 0, beginning(b"x")),
        ("the second of the beginning", [], b"x", 0, beginning(b"y", b"x")),
        ("of a later record of the operation", [about(stream, b"x")], b"x", 2, {}),
        ("of a note beside the plan", [about(plan, b"x")], b"x", 2, {}),
        ("of another listed stream", [about("incident/x", b"x")], b"x", 2, {"listed": listed + ["incident/x"]}),
        ("of another plan", [about("plan/x", b"x")], b"x", 2, {"listed": listed + ["plan/x"]}),
        ("of a plan that came later", [planned("plan/x")], b"x", 2, {"listed": listed + ["plan/x"]}),
        ("of a stream that begins like the operation", [about(stream + "/x", b"x")], b"x", 2, {"listed": listed + [stream + "/x"]}),
        ("the stream's own name", [note()], stream.encode(), 2, {}),
        ("the stream's own name, of the beginning", [], stream.encode(), 2, beginning(stream.encode())),
        ("another stream's name, of the beginning", [], plan.encode(), 0, beginning(plan.encode())),
        ("of the manifest", [], stream.encode(), 2, {}),
        ("a key", [], CONTROLLER.spki, 2, {"listed": listed + ["system"]}),
        ("a blob", [], b"x", 2, {"blobs": [b"x"]}),
    ):
        case(f"artifact: {name}", expected, steps, reader={"artifact": wanted}, **changes)
    return out
