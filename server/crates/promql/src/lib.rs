//! PromQL: parser, evaluation, functions, limits and the .test runner.
