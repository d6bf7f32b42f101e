// The simulated board on SPI: frames come on the standard input, each as two bytes of its length, the
// lower one first, and its bytes; what the design sends meanwhile, as many bytes, goes to the standard output.
#include <cstdint>
#include <cstdio>
#include <vector>

#include "Vedgeflow_spi.h"
#include "verilated.h"

static Vedgeflow_spi top;

static void cycles(unsigned count)
{
    while (count-- != 0) {
        top.clock = 0;
        top.eval();
        top.clock = 1;
        top.eval();
    }
}

static uint8_t exchanged(uint8_t byte)
{
    uint8_t answer = 0;
    for (int bit = 7; bit >= 0; bit--) {
        top.mosi = byte >> bit & 1;
        cycles(HALF_PERIOD);
        answer = (uint8_t)(answer << 1 | top.miso);
        top.sck = 1;
        cycles(HALF_PERIOD);
        top.sck = 0;
    }
    return answer;
}

int main()
{
    top.cs_n = 1;
    top.reset = 1;
    cycles(16);
    top.reset = 0;
    uint8_t length[2];
    while (fread(length, 1, 2, stdin) == 2) {
        std::vector<uint8_t> frame(length[0] | length[1] << 8);
        if (fread(frame.data(), 1, frame.size(), stdin) != frame.size())
            return 1;
        top.cs_n = 0;
        cycles(HALF_PERIOD);
        for (uint8_t &byte : frame)
            byte = exchanged(byte);
        cycles(HALF_PERIOD);
        top.cs_n = 1;
        cycles(4 * HALF_PERIOD);
        fwrite(frame.data(), 1, frame.size(), stdout);
        fflush(stdout);
    }
    return 0;
}
