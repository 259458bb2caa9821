//! Exit codes of the whole command line: one enum, one table, printed by `gonogo help exit-codes`.

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Pass, go or done.
    Done = 0,
    /// Hold or warn: not a go; a person must decide.
    Hold = 1,
    /// Fail, no-go or rolled back.
    Fail = 2,
    /// Could not judge: evidence missing, stale, invalid or unverifiable.
    Unjudged = 3,
    /// Usage error.
    Usage = 64,
    /// Unreadable or malformed input file.
    Input = 65,
    /// Input not found.
    NotFound = 66,
    /// Dependency unavailable.
    Unavailable = 69,
    /// Internal error.
    Internal = 70,
    /// Output cannot be written.
    Output = 73,
    /// Still running when the time-out ended; the handle is printed.
    Running = 75,
    /// Approval or permission required.
    Permission = 77,
    /// Configuration error.
    Config = 78,
}

impl Exit {
    /// Every exit code, in order.
    pub const ALL: [Self; 13] = [
        Self::Done,
        Self::Hold,
        Self::Fail,
        Self::Unjudged,
        Self::Usage,
        Self::Input,
        Self::NotFound,
        Self::Unavailable,
        Self::Internal,
        Self::Output,
        Self::Running,
        Self::Permission,
        Self::Config,
    ];

    /// The exit with this code.
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.code() == code)
    }

    /// Returns the process exit code.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Returns one line of meaning.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "pass, go or done",
            Self::Hold => "hold or warn: not a go, a person must decide",
            Self::Fail => "fail, no-go or rolled back",
            Self::Unjudged => "could not judge: evidence missing, stale, invalid or unverifiable",
            Self::Usage => "usage error",
            Self::Input => "unreadable or malformed input file",
            Self::NotFound => "input not found",
            Self::Unavailable => "dependency unavailable",
            Self::Internal => "internal error; the output says how to report it",
            Self::Output => "output cannot be written",
            Self::Running => "still running when --timeout ended; the handle is printed",
            Self::Permission => "approval or permission required",
            Self::Config => "configuration error",
        }
    }
}
