//! Which push services are spoken to. An endpoint is a web address that anybody can make up: without this list people
//! could have the platform call whom they want, inside its network too.

use anyhow::{Result, ensure};
use hyper::Uri;

use crate::http::is_loopback;

/// Those of the browsers there are: Chrome and what is made from it, Firefox, Safari, Edge.
const OF_BROWSERS: [&str; 4] =
    ["fcm.googleapis.com", "*.push.services.mozilla.com", "*.push.apple.com", "*.notify.windows.com"];

/// The push services that may be spoken to, by the names of their hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushServices(Vec<String>);

impl Default for PushServices {
    fn default() -> Self {
        PushServices(OF_BROWSERS.map(str::to_owned).to_vec())
    }
}

impl PushServices {
    /// From names separated by commas, where `*.` at the beginning stands for anything before it. They replace those of
    /// the browsers.
    ///
    /// # Errors
    /// One is not the name of a host.
    pub fn only(names: &str) -> Result<Self> {
        let names: Vec<String> = names.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
        for name in &names {
            let host = name.strip_prefix("*.").unwrap_or(name);
            let fine = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
            ensure!(fine, "REPRISE_PUSH_SERVICES: {name:?} is not a host like push.example or *.push.example");
        }
        Ok(PushServices(names))
    }

    /// Is this an address at one of them? They are reached over https on its own port; only on this machine itself may
    /// it be otherwise.
    pub(crate) fn have(&self, endpoint: &Uri) -> bool {
        let usual = endpoint.scheme_str() == Some("https") && matches!(endpoint.port_u16(), None | Some(443));
        let host = endpoint.host().unwrap_or_default().to_ascii_lowercase();
        let of = |name: &String| match name.strip_prefix('*') {
            Some(domain) => host.len() > domain.len() && host.ends_with(domain),
            None => host == *name,
        };
        (usual || is_loopback(endpoint)) && self.0.iter().any(of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn have(services: &PushServices, endpoint: &str) -> bool {
        services.have(&endpoint.parse().expect("an address"))
    }

    #[test]
    fn the_services_of_browsers_are_known() {
        let services = PushServices::default();
        for endpoint in [
            "https://fcm.googleapis.com/fcm/send/abc",
            "https://FCM.googleapis.com:443/wp/abc",
            "https://updates.push.services.mozilla.com/wpush/v2/abc",
            "https://web.push.apple.com/abc",
            "https://wns2-par02p.notify.windows.com/w/?token=abc",
        ] {
            assert!(have(&services, endpoint), "{endpoint}");
        }
    }

    #[test]
    fn nobody_else_is_spoken_to() {
        let services = PushServices::default();
        for endpoint in [
            "http://fcm.googleapis.com/fcm/send/abc",
            "https://fcm.googleapis.com:8443/fcm/send/abc",
            "https://fcm.googleapis.com.evil.example/",
            "https://fcm.googleapis.com./",
            "https://evil.example/fcm.googleapis.com",
            "https://push.apple.com/",
            "https://.push.apple.com/",
            "https://evilpush.apple.com/",
            "https://storage.googleapis.com/",
            "http://127.0.0.1/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://localhost/",
            "https://169.254.169.254/latest/meta-data/",
        ] {
            assert!(!have(&services, endpoint), "{endpoint}");
        }
    }

    #[test]
    fn a_list_replaces_them() {
        let services = PushServices::only("127.0.0.1, *.Push.example").expect("hosts");
        for (endpoint, expected) in [
            ("http://127.0.0.1:1234/x", true),
            ("http://127.0.0.2:1234/x", false),
            ("https://a.push.example/x", true),
            ("http://a.push.example/x", false),
            ("https://fcm.googleapis.com/x", false),
        ] {
            assert_eq!(have(&services, endpoint), expected, "{endpoint}");
        }
        for wrong in ["", "a,,b", "*", "*.", "https://push.example", "push.example/x", "a b"] {
            let error = PushServices::only(wrong).expect_err(wrong).to_string();
            assert!(error.contains("REPRISE_PUSH_SERVICES"), "{error}");
        }
    }
}
