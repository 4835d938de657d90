//! Free ports on the loopback address, outside the range from which the system takes ports for outgoing connections:
//! so a server that is killed finds its port free again.

use std::net::TcpListener;

/// Whether nobody listens on `port` of 127.0.0.1.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// A port between 10000 and 32000 on which nobody listens just now, picked at random so that tests running side by
/// side do not pick the same.
pub fn free_port() -> u16 {
    loop {
        let random = getrandom::u32().expect("the system has randomness");
        let port = 10_000 + u16::try_from(random % 22_000).expect("less than 22000");
        if is_free(port) {
            return port;
        }
    }
}
