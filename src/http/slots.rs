//! Room for the header fields that httparse finds.

use std::mem::MaybeUninit;

use super::FIELDS;

/// Room for the header fields of a request: on the stack for as many as usual requests have, on the
/// heap for the others. That saves a page of memory for every open connection.
pub struct Slots<'b> {
    few: [MaybeUninit<httparse::Header<'b>>; FEW],
    many: Vec<httparse::Header<'b>>,
}

const FEW: usize = 12;

impl Slots<'_> {
    pub fn new() -> Self {
        Slots { few: [MaybeUninit::uninit(); FEW], many: Vec::new() }
    }
}

/// Reads into the few slots, or into the many if those do not suffice.
pub fn lines<'b>(
    bytes: &'b [u8],
    slots: &'b mut Slots<'b>,
) -> (httparse::Request<'b, 'b>, httparse::Result<usize>) {
    let mut request = httparse::Request::new(&mut []);
    let mut status = request.parse_with_uninit_headers(bytes, &mut slots.few);
    if status == Err(httparse::Error::TooManyHeaders) {
        slots.many.resize(FIELDS, httparse::EMPTY_HEADER);
        request = httparse::Request::new(&mut slots.many);
        status = request.parse(bytes);
    }
    (request, status)
}
