//! libFuzzer's runner of [`procura_fuzz::forwarded`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    procura_fuzz::forwarded(data);
});
