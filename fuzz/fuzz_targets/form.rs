//! libFuzzer's runner of [`procura_fuzz::form`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    procura_fuzz::form(data);
});
