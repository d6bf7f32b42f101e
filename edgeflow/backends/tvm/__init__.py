"""Networks as TIR with schedules of our own, compiled by Apache TVM (the extra `tvm`)."""
