//! What a child may use. The defaults suit films that people upload; they are what stands between a hostile file and
//! the machine.

use std::time::Duration;

const GIB: u64 = 1 << 30;

/// What one run of ffmpeg or ffprobe may use before it is ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Bytes of address space. 8K in 10 bits takes 4 GiB with 8 threads, 1080p less than 1.
    pub memory: u64,
    /// Time that every run has, however short the film.
    pub time_floor: Duration,
    /// Time beyond that, for each second of film.
    pub time_factor: f64,
    /// After this long without a new frame an encoder counts as stuck.
    pub stall: Duration,
    /// Bytes that may lie in the folder that is written to, and in any one file of it.
    pub output: u64,
    /// Added to the priority, 0 to 19: people who wait for a page come first.
    pub niceness: u8,
    /// Threads of each decoder and encoder; memory grows with them.
    pub threads: usize,
    /// Milliseconds of the longest film that is taken.
    pub longest_ms: u64,
    /// Pixels of the largest picture that is taken.
    pub pixels: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: 6 * GIB,
            time_floor: Duration::from_secs(600),
            time_factor: 20.0,
            stall: Duration::from_secs(60),
            output: 64 * GIB,
            niceness: 10,
            // beyond eight x264 gains little and takes a lot of memory
            threads: cores().min(8),
            longest_ms: 12 * 60 * 60 * 1000,
            pixels: 8192 * 4320,
        }
    }
}

impl Limits {
    /// How long a run over so much film may take.
    pub(crate) fn time(&self, duration_ms: u64) -> Duration {
        let seconds = duration_ms.min(self.longest_ms) as f64 / 1000.0;
        self.time_floor + Duration::try_from_secs_f64(seconds * self.time_factor).unwrap_or(Duration::MAX / 4)
    }
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get())
}
