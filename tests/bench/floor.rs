//! The floor: reads once, writes a fixed answer, and knows nothing. The stepping floor also lets
//! other threads run before it waits, as the program does: it is the limit of this design.

use std::io::{Read, Write};
use std::net::TcpListener;

/// Whether the floor of this name steps aside; `None` if it is not a floor.
pub fn by_its_name(word: &str) -> Option<bool> {
    match word {
        "--floor" => Some(false),
        "--stepping-floor" => Some(true),
        _ => None,
    }
}

/// Answers each read with `batch` answers of `size` bytes.
pub fn serve(size: usize, batch: usize, steps: bool) {
    // The length is right, so that any client can be used. Sizes have three digits here.
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 000\r\n\r\n";
    let length = size - head.len();
    let head = head.replace("000", &length.to_string());
    let answer = format!("{head}{}", "x".repeat(length)).repeat(batch);
    let answer: &'static [u8] = answer.into_bytes().leak();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("listening on http://{}", listener.local_addr().unwrap());
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        stream.set_nodelay(true).unwrap();
        std::thread::Builder::new()
            .stack_size(256 * 1024)
            .spawn(move || {
                let mut buffer = vec![0; if batch > 1 { 64 * 1024 } else { 4096 }];
                while stream.read(&mut buffer).is_ok_and(|n| n > 0) {
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                    if steps {
                        std::thread::yield_now();
                    }
                }
            })
            .unwrap();
    }
}
