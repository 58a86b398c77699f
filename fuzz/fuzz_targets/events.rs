//! libFuzzer's runner of [`procura_fuzz::events`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    procura_fuzz::events(data);
});
