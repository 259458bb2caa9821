//! The keys of approvals, of emergencies and of freezes.

use super::Kind::*;
use super::Need::{Default, Optional, Required};
use super::{Section, key};

/// `approval = { … }`.
pub(in crate::config) static APPROVAL: Section = Section {
    keys: &[
        key(
            "self",
            Flag,
            Default("false"),
            "Whether the requester may approve.",
        ),
        key(
            "required",
            Count,
            Default("1"),
            "How many different people must approve.",
        ),
        key(
            "roles",
            Texts,
            Default("[]"),
            "Roles that may approve; empty leaves it to `approvers` alone.",
        ),
        key(
            "approvers",
            List(&APPROVER),
            Default("[]"),
            "Who may approve.",
        ),
        key(
            "requesters",
            List(&REQUESTER),
            Default("[]"),
            "Who may ask besides the approvers; empty leaves it to them alone, or with `self` to everybody.",
        ),
        key(
            "max_sla",
            Span,
            Default("\"60m\""),
            "Longest time that an approval may hold, 1m to 7d.",
        ),
        key(
            "login",
            Flag,
            Default("false"),
            "Whether a person's login at a server decides for them; otherwise their own key must sign.",
        ),
        key(
            "delegation",
            Span,
            Optional,
            "Longest time for which an approver may let somebody else speak for them, 1m to 31d; without it nobody may.",
        ),
        key(
            "rollback",
            Choice(&["approved", "preapproved"]),
            Default("\"approved\""),
            "Whether a way back to known-good waits for approval as everything else, or is approved beforehand. An approver's rejection holds it in either case.",
        ),
    ],
};

/// `[break_glass.NAME]`.
pub(in crate::config) static BREAK_GLASS: Section = Section {
    keys: &[
        key(
            "who",
            Texts,
            Required,
            "Who may: names that each of the environments lists among `approvers` or `requesters`.",
        ),
        key("environments", Texts, Required, "Where."),
        key(
            "pages",
            Text,
            Required,
            "Name of the notice that pages somebody.",
        ),
        key(
            "lasts",
            Span,
            Default("\"30m\""),
            "How long a broken glass holds, 1m to 1d; the application must begin within that.",
        ),
        key(
            "uses",
            Count,
            Default("1"),
            "How often the glass may be broken within `review_within`. An incident that nobody has reviewed counts for as long as it is open.",
        ),
        key(
            "review_within",
            Span,
            Default("\"24h\""),
            "Until when somebody else must have reviewed the incident.",
        ),
    ],
};

/// One of `[[freeze]]`.
pub(in crate::config) static FREEZE: Section = Section {
    keys: &[
        key(
            "name",
            Text,
            Required,
            "Its name: 1 to 64 of `A-Z a-z 0-9 . _ + -`, a letter, digit or `_` first.",
        ),
        key(
            "environments",
            Texts,
            Default("[]"),
            "Environments that it holds for; all of them if there are none.",
        ),
        key(
            "from",
            Text,
            Required,
            "When it begins: a moment such as `2026-12-20T18:00:00Z`, or a day of every week such as `Fri 16:00`.",
        ),
        key("until", Text, Required, "When it ends, in the same form."),
        key(
            "zone",
            Text,
            Optional,
            "Whose clocks a day of the week means, and a moment without an offset: a name of the IANA time zone database such as `Europe/Berlin`. Needed for these.",
        ),
        key("reason", Text, Required, "Why; who is refused reads it."),
    ],
};

/// One of `requesters`.
pub(in crate::config) static REQUESTER: Section = Section {
    keys: &[
        key("id", Text, Required, "Who."),
        key(
            "key",
            Text,
            Required,
            "Key id: 64 lower-case hex digits, as `gonogo key show` prints it.",
        ),
    ],
};

/// One of `approvers`.
pub(in crate::config) static APPROVER: Section = Section {
    keys: &[
        key("id", Text, Required, "Who."),
        key("role", Text, Required, "In which role."),
        key(
            "key",
            Text,
            Required,
            "Key id: 64 lower-case hex digits, as `gonogo key show` prints it.",
        ),
    ],
};
