#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| datafusion_kinesis::fuzzing::wire(bytes));
