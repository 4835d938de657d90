//! What can be in the way. A fault says what was attempted and what the outside answered, never a secret: an answer of
//! a server is cut down to its code, because some repeat what was signed.

use std::error::Error;

/// The outside failed: the disk, the network, the server of the store. Trying again later may help.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Fault {
    what: String,
    source: Box<dyn Error + Send + Sync>,
}

/// Why a piece was not appended to an upload, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// It was never begun, or is finished or aborted.
    #[error("there is no such upload")]
    Gone,
    /// The piece belongs elsewhere.
    #[error("the upload goes on at {is}")]
    Offset {
        /// Where the upload goes on.
        is: u64,
    },
    /// Somebody else appends to it now, or did so a moment ago and died.
    #[error("somebody else appends to this upload")]
    Busy,
    /// The piece goes beyond the length that was announced. None of it is kept.
    #[error("the upload was begun for fewer bytes")]
    TooLong,
    /// What came is not what was meant. None of it is kept.
    #[error("the piece does not have this checksum")]
    Checksum,
    /// The body broke off. What came is kept, unless a checksum was to be compared.
    #[error("the piece broke off at {offset}")]
    Broken {
        /// Where the upload goes on.
        offset: u64,
    },
    /// The store failed. What was acknowledged before is kept.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why an upload is no blob yet.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// It was never begun, or is aborted.
    #[error("there is no such upload")]
    Gone,
    /// Somebody appends to it, or finishes it.
    #[error("somebody else works on this upload")]
    Busy,
    /// Not all of it has come.
    #[error("the upload is only at {offset}")]
    Incomplete {
        /// Where the upload goes on.
        offset: u64,
    },
    /// The store failed; finishing again goes on where this ended.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Fault {
    pub(crate) fn new(what: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Fault { what: what.into(), source: source.into() }
    }

    pub(crate) fn s3(what: impl Into<String>, error: &object_store::Error) -> Self {
        Fault::new(what, plain(&error.to_string()))
    }
}

/// An error of the S3 client without the document in it, except for its code.
fn plain(text: &str) -> String {
    let (said, document) = text.split_once('<').unwrap_or((text, ""));
    let code = document.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    let said = said.trim_end_matches([' ', ':']);
    match code {
        Some((code, _)) => format!("{said} ({code})"),
        None => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_servers_document_only_the_code_remains() {
        let text = "Error performing PUT http://h/b/k in 1ms - Server returned non-2xx status code: 403 Forbidden: \
                    <?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><StringToSign>AWS4 secret\
                    </StringToSign></Error>";
        let plain = plain(text);
        assert!(plain.ends_with("403 Forbidden (SignatureDoesNotMatch)"), "{plain}");
        assert_eq!(super::plain("no route to host"), "no route to host");
    }
}
