//! What is said about a bucket in one line. Credentials are never part of it: settings end up in logs and in process
//! lists.

use anyhow::{Context, bail, ensure};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{ClientConfigKey, RetryConfig};
use std::fmt;
use std::time::Duration;

use super::http::Http;
use crate::Key;

/// Who we are to an S3 server. `Debug` hides it.
#[derive(Clone)]
pub struct Credentials {
    /// The access key id.
    pub id: String,
    /// The secret access key.
    pub secret: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// How to use a bucket.
#[derive(Debug, PartialEq)]
pub(super) struct Setting {
    bucket: String,
    /// What every name begins with.
    pub prefix: Option<Key>,
    /// After how many seconds of silence somebody who appends counts as dead.
    pub lease: u32,
    options: Vec<(AmazonS3ConfigKey, String)>,
}

impl Setting {
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let rest = text.strip_prefix("s3://").context("a bucket is named as s3://bucket/prefix?endpoint=…")?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        ensure!(Key::new(bucket).is_ok() && !bucket.contains('/'), "the name of the bucket is none");
        let prefix = prefix.trim_end_matches('/');
        let prefix = (!prefix.is_empty()).then(|| Key::new(prefix)).transpose().context("the prefix is no key")?;
        let mut setting = Setting { bucket: bucket.to_owned(), prefix, lease: 30, options: Vec::new() };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').context("after the ? come name=value pairs with & between")?;
            setting.set(name, value)?;
        }
        Ok(setting)
    }

    fn set(&mut self, name: &str, value: &str) -> anyhow::Result<()> {
        let key = match name {
            "endpoint" => AmazonS3ConfigKey::Endpoint,
            "region" => AmazonS3ConfigKey::Region,
            "allow_http" => AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp),
            "virtual_hosted" => AmazonS3ConfigKey::VirtualHostedStyleRequest,
            "lease" => {
                self.lease = value.parse().context("lease is a number of seconds")?;
                return Ok(());
            }
            _ => bail!("endpoint, region, allow_http, virtual_hosted and lease can be said about a bucket, not {name}"),
        };
        ensure!(value.parse::<bool>().is_ok() || !name.contains('_'), "{name} is true or false");
        self.options.push((key, value.to_owned()));
        Ok(())
    }

    /// What is not said here is taken from the environment: `AWS_ACCESS_KEY_ID`, `AWS_REGION` and so on.
    pub fn connect(&self, credentials: Option<Credentials>) -> anyhow::Result<AmazonS3> {
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(&self.bucket).with_http_connector(Http);
        for (key, value) in &self.options {
            builder = builder.with_config(*key, value);
        }
        if let Some(Credentials { id, secret }) = credentials {
            builder = builder.with_access_key_id(id).with_secret_access_key(secret);
        }
        if let Some(endpoint) = builder.get_config_value(&AmazonS3ConfigKey::Endpoint) {
            let allowed = builder.get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
            ensure!(!endpoint.contains('@'), "an endpoint has no user and password in it");
            ensure!(
                endpoint.starts_with("https://") || allowed.as_deref() == Some("true"),
                "the endpoint is not https://…, say allow_http=true if that is meant"
            );
        }
        // a caller waits for most of this; what takes longer is better asked for again
        let retry = RetryConfig { max_retries: 5, retry_timeout: Duration::from_secs(30), ..Default::default() };
        builder.with_retry(retry).build().context("the S3 client cannot be set up")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_said() {
        let setting = Setting::parse("s3://media/eu/one?endpoint=http://s3:9000&region=eu-1&allow_http=true&lease=5");
        let setting = setting.expect("a setting");
        assert_eq!(setting.bucket, "media");
        assert_eq!(setting.prefix, Some(Key::new("eu/one").expect("a key")));
        assert_eq!(setting.lease, 5);
        assert_eq!(setting.options[0], (AmazonS3ConfigKey::Endpoint, "http://s3:9000".to_owned()));
        assert_eq!(Setting::parse("s3://media/").expect("a setting").prefix, None);
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        for bad in ["media", "s3://", "s3://m/../x", "s3://m?endpoint", "s3://m?lease=soon", "s3://m?allow_http=yes"] {
            assert!(Setting::parse(bad).is_err(), "{bad}");
        }
        let told = Setting::parse("s3://m?password=hunter2").expect_err("no such setting").to_string();
        assert!(!told.contains("hunter2"), "{told}");
    }

    #[test]
    fn speaks_no_http_unless_allowed_and_takes_no_password_in_an_address() {
        let credentials = || Some(Credentials { id: "id".into(), secret: "hunter2".into() });
        let open = |text| Setting::parse(text).expect("a setting").connect(credentials());
        assert!(open("s3://m?endpoint=http://h:1").is_err());
        assert!(open("s3://m?endpoint=http://h:1&allow_http=true").is_ok());
        assert!(open("s3://m?endpoint=https://h").is_ok());
        assert!(open("s3://m?endpoint=https://me:pass@h").is_err());
        assert_eq!(format!("{:?}", credentials()), "Some(Credentials(..))");
    }
}
