//! Where a workflow service is, and whether everything is said that a dispatch needs.

use gonogo_core::Span;
use serde::{Deserialize, Serialize};

/// Where the token of a service is read from when it is needed; never the token itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum TokenFrom {
    /// A variable.
    Env(String),
    /// A file.
    File(String),
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// For the answer to a dispatch or a cancel.
    pub dispatch: Span,
    /// For the answer to a question.
    pub status: Span,
    /// Between two questions, at most.
    pub every: Span,
    /// So long a service may answer without saying anything of an operation before a person is needed.
    pub lost_after: Span,
}

/// A service that everything is known of which a dispatch needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Endpoint {
    /// The workflow's name there.
    pub workflow_name: String,
    /// The queue that its workers take from.
    pub task_queue: String,
    /// Where operations are sent.
    pub dispatch_url: String,
    /// What `/operations/ID` is appended to, without a slash at its end.
    pub status_base_url: String,
    /// Where its token is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenFrom>,
    /// How long things may take.
    pub limits: Limits,
}

impl Endpoint {
    /// Where to ask about the operation that the service calls `id`.
    pub fn status_url(&self, id: &str) -> String {
        format!("{}/operations/{id}", self.status_base_url)
    }

    /// Where to ask for its end: where the service said, if that is the service itself.
    pub fn cancel_url(&self, id: &str, said: Option<&str>) -> String {
        let own = |url: &&str| {
            same_origin(url, &self.dispatch_url) || same_origin(url, &self.status_base_url)
        };
        said.filter(own).map_or_else(
            || format!("{}/cancel", self.status_url(id)),
            ToOwned::to_owned,
        )
    }
}

/// Whether two addresses are of one scheme, host and port.
pub fn same_origin(a: &str, b: &str) -> bool {
    fn origin(url: &str) -> Option<String> {
        let (scheme, rest) = url.split_once("://")?;
        let host = rest.split(['/', '?', '#']).next()?;
        let plain = !host.is_empty() && !host.contains(['@', '\\', ' ']);
        plain.then(|| format!("{scheme}://{host}").to_ascii_lowercase())
    }
    origin(a).is_some_and(|a| Some(a) == origin(b))
}

/// What is said of a service so far, by whichever layer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wiring {
    /// The workflow's name there.
    pub workflow_name: Option<String>,
    /// The queue.
    pub task_queue: Option<String>,
    /// Where operations are sent.
    pub dispatch_url: Option<String>,
    /// What `/operations/ID` is appended to.
    pub status_base_url: Option<String>,
}

impl Wiring {
    /// The service, if everything is said; else the names of what is missing, as `(key, variable)`.
    ///
    /// # Errors
    /// What is missing; never empty.
    pub fn complete(
        self,
        token: Option<TokenFrom>,
        limits: Limits,
    ) -> Result<Endpoint, Vec<(&'static str, &'static str)>> {
        let all = [
            (&self.workflow_name, ("name", "GONOGO_WORKFLOW_NAME")),
            (
                &self.task_queue,
                ("task_queue", "GONOGO_WORKFLOW_TASK_QUEUE"),
            ),
            (
                &self.status_base_url,
                ("status_base_url", "GONOGO_WORKFLOW_STATUS_BASE_URL"),
            ),
            (
                &self.dispatch_url,
                ("dispatch_url", "GONOGO_WORKFLOW_DISPATCH_URL"),
            ),
        ];
        let missing = all.iter().filter(|(v, _)| v.is_none()).map(|(_, n)| *n);
        let missing: Vec<_> = missing.collect();
        match (
            self.workflow_name,
            self.task_queue,
            self.dispatch_url,
            self.status_base_url,
        ) {
            (Some(workflow_name), Some(task_queue), Some(dispatch_url), Some(base)) => {
                Ok(Endpoint {
                    workflow_name,
                    task_queue,
                    dispatch_url,
                    status_base_url: base.trim_end_matches('/').to_owned(),
                    token,
                    limits,
                })
            }
            _ => Err(missing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        dispatch: Span::from_secs(1),
        status: Span::from_secs(1),
        every: Span::from_secs(1),
        lost_after: Span::from_secs(1),
    };

    fn whole() -> Wiring {
        Wiring {
            workflow_name: Some("release".into()),
            task_queue: Some("q".into()),
            dispatch_url: Some("http://flow:1/operations/dispatch".into()),
            status_base_url: Some("http://flow:1/".into()),
        }
    }

    #[test]
    fn each_of_the_four_is_missed_by_name() {
        let endpoint = whole().complete(None, LIMITS).unwrap();
        assert_eq!(endpoint.status_url("x"), "http://flow:1/operations/x");
        type Take = fn(&mut Wiring);
        let takes: [(Take, &str); 4] = [
            (|w| w.workflow_name = None, "name"),
            (|w| w.task_queue = None, "task_queue"),
            (|w| w.status_base_url = None, "status_base_url"),
            (|w| w.dispatch_url = None, "dispatch_url"),
        ];
        for (take, name) in takes {
            let mut wiring = whole();
            take(&mut wiring);
            let missing = wiring.complete(None, LIMITS).unwrap_err();
            assert_eq!(missing.iter().map(|m| m.0).collect::<Vec<_>>(), [name]);
        }
        let all = Wiring::default().complete(None, LIMITS).unwrap_err();
        assert_eq!(all.len(), 4);
    }

    #[test]
    fn a_cancel_goes_to_the_service_alone() {
        let e = whole().complete(None, LIMITS).unwrap();
        let own = "http://flow:1/stop/7";
        assert_eq!(e.cancel_url("7", Some(own)), own);
        for foreign in [
            "http://flow:2/stop",
            "https://flow:1/stop",
            "http://flow:1@evil/stop",
            "http://flow:1.evil/stop",
            "//flow:1/stop",
            "",
        ] {
            let asked = e.cancel_url("7", Some(foreign));
            assert_eq!(asked, "http://flow:1/operations/7/cancel", "{foreign}");
        }
    }
}
