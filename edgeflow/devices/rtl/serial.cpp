// The simulated board on a terminal: serial TERMINAL
//
// What is written to the terminal's other side goes bit by bit onto the design's line, and what the
// design sends comes back. It runs until the other side is closed.
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <poll.h>
#include <unistd.h>

#include "Vedgeflow_serial.h"
#include "verilated.h"

static Vedgeflow_serial top;

int main(int count, char **arguments)
{
    if (count != 2) {
        fprintf(stderr, "usage: serial DESCRIPTOR\n");
        return 2;
    }
    const int line = atoi(arguments[1]);
    unsigned in_bits = 0, in_time = 0, out_bits = 0, out_time = 0;
    uint32_t in_shift = 1, out_shift = 0;
    uint64_t cycles = 0;
    top.reset = 1;
    top.rx = 1;
    for (;; cycles++) {
        top.reset = cycles < 16;
        if (in_bits == 0 && cycles > 64 && cycles % 64 == 0) {
            struct pollfd waited = {line, POLLIN, 0};
            uint8_t byte;
            // Where nothing is under way, time stands still until something comes.
            const bool idle = !top.busy && out_bits == 0 && cycles > 4096;
            if (poll(&waited, 1, idle ? 1 : 0) > 0) {
                const ssize_t got = read(line, &byte, 1);
                if (got == 0 || (got < 0 && errno == EIO)) {
                    return 0;
                }
                if (got == 1) {
                    in_shift = 0x200u | (uint32_t)byte << 1;
                    in_bits = 10;
                    in_time = 0;
                }
            }
        }
        if (in_bits != 0 && in_time-- == 0) {
            top.rx = in_shift & 1;
            in_shift >>= 1;
            in_time = DIVISOR - 1;
            in_bits--;
        }
        if (out_bits == 0 && !top.tx && cycles > 64) {
            out_bits = 9;
            out_time = DIVISOR + DIVISOR / 2;
            out_shift = 0;
        } else if (out_bits != 0 && --out_time == 0) {
            out_time = DIVISOR;
            out_bits--;
            if (out_bits != 0) {
                out_shift |= (uint32_t)top.tx << (8 - out_bits);
            } else {
                const uint8_t byte = (uint8_t)out_shift;
                if (write(line, &byte, 1) != 1) {
                    return 0;
                }
            }
        }
        top.clock = 0;
        top.eval();
        top.clock = 1;
        top.eval();
    }
}
