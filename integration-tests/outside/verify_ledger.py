"""What the senders of referrals were told, for verify.py to hold against what was received."""

import json
from collections import Counter

from verify_reading import Failed


class Ledger:
    """What the senders were told of each reference, held against what was received."""

    def __init__(self):
        self.counts = Counter()
        self.answers = {}

    @classmethod
    def read(cls, path):
        try:
            with open(path, encoding="utf-8") as lines:
                return cls.of(json.loads(line) for line in lines if line.strip())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Failed(f"the ledger {path} does not read: {error!r}") from error

    @classmethod
    def of(cls, lines):
        ledger = cls()
        for number, line in enumerate(lines, 1):
            ledger.take_in(number, line)
        return ledger

    def take_in(self, number, line):
        status = line["status"]
        if status not in ("received", "refused", "unknown"):
            raise ValueError(f"line {number} has the status {status!r}")
        self.counts[status] += 1
        answers = self.answers.setdefault((line["reporter"], line["reference"]), [])
        if status != "unknown":
            said = status, line.get("referral_id"), line.get("incident_id"), line.get("digest")
            answers.append((number, said))

    def check(self, incidents, others, findings):
        received, silent = set(), 0
        for (reporter, _), answers in self.answers.items():
            if not answers:
                silent += 1
                continue
            number, said = answers[0]
            for other_number, other in answers[1:]:
                if other != said:
                    kind = "doubled" if said[1] and other[1] and said[1] != other[1] else "lost"
                    where = f"ledger/{reporter}/line {other_number}"
                    findings.add(kind, "answers of one reference agree", where, f"line {number}")
            if said[0] == "received":
                received.add(said[1])
                self.must_be_there(f"ledger/{reporter}/line {number}", reporter, said, incidents, findings)
            elif said[1] in incidents.referrals:
                place = incidents.incidents[incidents.referrals[said[1]]].place
                findings.add("doubled", "a refused referral is not received", place, f"line {number}")
        self.counts["references"] = len(self.answers)
        self.counts["references without an answer"] = silent
        strangers = [referral for referral in incidents.referrals if referral not in received]
        self.counts["received and not told"] = max(len(strangers) - others, 0)
        # Whoever heard nothing may have been received; more than those nobody has sent.
        for referral in strangers[: max(len(strangers) - others - silent, 0)]:
            place = incidents.incidents[incidents.referrals[referral]].place
            findings.add("doubled", "nothing is received that nobody sent", place, "or another like it")

    def must_be_there(self, where, reporter, said, incidents, findings):
        _, referral, incident_id, digest = said
        found = incidents.incidents.get(incidents.referrals.get(referral))
        if found is None:
            findings.add("lost", "what was acknowledged is received", where, str(referral))
            return
        if incidents.referrals[referral] != incident_id:
            findings.add("lost", "a referral opens the incident that was told", found.place, where)
        if found.reporter != reporter:
            findings.add("leaked", "a referral is its reporter's", found.place, where)
        if digest is not None and found.digest != digest:
            findings.add("lost", "a referral is received as it was acknowledged", found.place, where)
