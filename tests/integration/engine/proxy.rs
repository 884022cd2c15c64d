//! A proxy between a server and its engine that cuts connections after a number of bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::redis::{Engine, Place};

/// Which bytes are counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Side {
    ToEngine,
    FromEngine,
}

#[derive(Default)]
struct Cuts {
    /// Cut as soon as more than so many bytes have gone this way; `None` to cut nothing.
    after: Option<(Side, usize)>,
    seen: usize,
    /// How many connections to cut, one after another, and how many were.
    most: usize,
    made: usize,
    /// Everything that has gone to the engine since somebody asked.
    said: Vec<u8>,
}

pub struct Proxy {
    place: SocketAddr,
    cuts: Arc<Mutex<Cuts>>,
    is_over: Arc<AtomicBool>,
}

/// Both ends of a connection.
struct Link {
    client: TcpStream,
    engine: TcpStream,
    /// The current command is the server's check, each second, whether the engine is there; it is
    /// not counted, since it comes at any time.
    is_look: AtomicBool,
}

impl Proxy {
    pub fn before(engine: &Engine) -> Proxy {
        let Place::Tcp(to) = engine.place.clone() else { panic!("the engine has no port") };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap();
        let (cuts, is_over) = <(Arc<Mutex<Cuts>>, Arc<AtomicBool>)>::default();
        let (own, end) = (Arc::clone(&cuts), Arc::clone(&is_over));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                serve(client, to, &own);
            }
        });
        Proxy { place, cuts, is_over }
    }

    /// The value of `store`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.place)
    }

    /// From now on cuts so many connections: the first after so many bytes of this side, and the
    /// next ones before any.
    pub fn cut(&self, side: Side, after: usize, most: usize) {
        *self.cuts.lock().unwrap() = Cuts { after: Some((side, after)), most, ..Cuts::default() };
    }

    /// Everything that the server has told the engine since the last time, its looks left out.
    pub fn said(&self) -> Vec<u8> {
        std::mem::take(&mut self.cuts.lock().unwrap().said)
    }

    /// Cuts no more; returns how many it has cut.
    pub fn stop(&self) -> usize {
        std::mem::take(&mut *self.cuts.lock().unwrap()).made
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.place);
    }
}

fn serve(client: TcpStream, to: SocketAddr, cuts: &Arc<Mutex<Cuts>>) {
    let Ok(engine) = TcpStream::connect(to) else { return };
    client.set_nodelay(true).unwrap();
    engine.set_nodelay(true).unwrap();
    let link = Arc::new(Link { client, engine, is_look: AtomicBool::new(false) });
    for side in [Side::ToEngine, Side::FromEngine] {
        let (link, cuts) = (Arc::clone(&link), Arc::clone(cuts));
        std::thread::spawn(move || {
            link.copy(side, &cuts);
            let _ = link.client.shutdown(Shutdown::Both);
            let _ = link.engine.shutdown(Shutdown::Both);
        });
    }
}

impl Link {
    /// Copies until either end is closed, or until the cut.
    fn copy(&self, side: Side, cuts: &Mutex<Cuts>) {
        let (mut from, mut to) = match side {
            Side::ToEngine => (&self.client, &self.engine),
            Side::FromEngine => (&self.engine, &self.client),
        };
        let mut piece = [0; 65536];
        while let Ok(size @ 1..) = from.read(&mut piece) {
            let bytes = &piece[..size];
            if side == Side::ToEngine {
                let is_look = bytes.windows(6).any(|window| window == b"}check");
                self.is_look.store(is_look, Ordering::SeqCst);
                if !is_look {
                    cuts.lock().unwrap().said.extend_from_slice(bytes);
                }
            }
            let pass = match self.is_look.load(Ordering::SeqCst) {
                true => size,
                false => cuts.lock().unwrap().pass(side, size),
            };
            if to.write_all(&bytes[..pass]).is_err() || pass < size {
                return;
            }
        }
    }
}

impl Cuts {
    /// How many of so many bytes may pass.
    fn pass(&mut self, side: Side, size: usize) -> usize {
        let Some((_, after)) = self.after.filter(|(own, _)| *own == side) else { return size };
        self.seen += size;
        if self.seen <= after {
            return size;
        }
        let pass = size - (self.seen - after);
        self.seen = 0;
        self.made += 1;
        self.after = (self.made < self.most).then_some((side, 0));
        pass
    }
}
