"""Makes what other rows read: a project with a witness, two releases under load, the packets of both, an exported log."""
import shutil

import lab
from lab import MATERIAL, Load, Project, Witness, check


def main():
    home = MATERIAL / "witness"
    vkey = Witness.key(home, "witness.example")
    port = lab.free_port()
    project = Project("shop", ledger='\n[ledger]\npolicy = "trust.policy"\n')
    # The policy names the log, whose key exists once the project was opened; then it also names the witness.
    policy = project.dir / "trust.policy"
    log = first_key(project)
    with Witness(home, "witness.example", [log]) as witness:
        policy.write_text(f"log {log}\nwitness w1 {vkey} http://127.0.0.1:{witness.port}\nquorum w1\n")
        try:
            with Load(project.port):
                for version in ("1.0.0", "2.0.0"):
                    project.run("release", "--to", version, "--env", "local").expect(0)
            packet = MATERIAL / "packet.tar"
            newest, first = project.data("history")["operations"]
            for operation, to in ((newest, packet), (first, MATERIAL / "other.tar")):
                to.write_bytes((project.dir / f".gonogo/packets/{operation['id']}.tar").read_bytes())
            lab.unpack(packet, MATERIAL / "packet")
            shutil.copy(project.dir / "versions/2.0.0.toml", MATERIAL / "artifact")
            project.run("verify", packet, "--log-key", log, "--json").expect(0)
            project.run("ledger", "cosign").expect(0)
            project.run("ledger", "export", MATERIAL / "log").expect(0)
            (MATERIAL / "log.vkey").write_text(log + "\n")
            (MATERIAL / "log/witness.vkey").write_text(vkey + "\n")
        finally:
            project.end()
    records = len(list((MATERIAL / "packet/records").iterdir()))
    check(records > 5, f"a packet with {records} records")
    lab.passed(f"a packet with {records} records, a log with {project.size()} entries")


def first_key(project):
    """The log's key, which the first command of a project without a policy makes."""
    config = project.dir / "gonogo.toml"
    text = config.read_text()
    config.write_text(text.split("\n[ledger]")[0])
    project.run("history").expect(0)
    config.write_text(text)
    return (project.dir / ".gonogo/ledger/log.vkey").read_text().strip()


main()
