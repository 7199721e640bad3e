//! Texts that must never be shown.

use std::fmt;

/// A password, token or key. `Debug` shows a placeholder, and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the moment of use.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// An address whose path, query and user part may be secret, as those of chat webhooks are. `Debug`
/// and `Display` show scheme, host and port only.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(reqwest::Url);

impl SecretUrl {
    /// Reads an `http` or `https` address.
    ///
    /// # Errors
    /// The reason in words, without the address.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = reqwest::Url::parse(text).map_err(|error| error.to_string())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("scheme `{}`, expected http or https", url.scheme()));
        }
        Ok(Self(url))
    }

    /// The whole address, for the moment of use.
    pub fn expose(&self) -> &reqwest::Url {
        &self.0
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or(""))?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        if self.0.path() != "/" || self.0.query().is_some() {
            f.write_str("/…")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_never_show() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "<secret>");
        for (url, shown) in [
            ("https://hooks.example.org/services/T0/B0/key", "https://hooks.example.org/…"),
            ("http://user:pass@127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("http://a/?token=x", "http://a/…"),
        ] {
            assert_eq!(format!("{:?}", SecretUrl::parse(url).unwrap()), shown);
        }
        assert!(SecretUrl::parse("ftp://a/").unwrap_err().contains("ftp"));
    }
}
