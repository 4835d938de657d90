//! Films are made with a real ffmpeg from films that it draws itself; every test has a folder of its own, which goes
//! with it.

// these look at processes as only Linux shows them
#[cfg(target_os = "linux")]
mod bounds;
#[cfg(target_os = "linux")]
mod ending;
mod hostile;
mod inspect;
mod m3u8;
mod pictures;
mod probing;
mod renditions;
mod scratch;
mod uneven;
