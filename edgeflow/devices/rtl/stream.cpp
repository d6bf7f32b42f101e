// Runs a network in space at full pace: stream INPUTS ANSWERS
//
// INPUTS holds rows of GIVEN_BYTES bytes, of which one goes in every cycle; CYCLES later its row of
// ANSWER_BYTES is written to ANSWERS.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "Vedgeflow_spatial.h"
#include "verilated.h"

static Vedgeflow_spatial top;

static_assert(sizeof top.given >= GIVEN_BYTES && sizeof top.answer >= ANSWER_BYTES, "ports hold rows");

static void edge()
{
    top.clock = 0;
    top.eval();
    top.clock = 1;
    top.eval();
}

int main(int count, char **arguments)
{
    if (count != 3) {
        fprintf(stderr, "usage: stream INPUTS ANSWERS\n");
        return 2;
    }
    FILE *inputs = fopen(arguments[1], "rb"), *answers = fopen(arguments[2], "wb");
    if (inputs == nullptr || answers == nullptr) {
        perror("stream");
        return 3;
    }
    std::vector<uint8_t> row(GIVEN_BYTES);
    uint64_t given = 0, written = 0;
    bool more = true;
    for (uint64_t cycle = 0; more || written < given; cycle++) {
        more = more && fread(row.data(), row.size(), 1, inputs) == 1;
        if (more) {
            memcpy(&top.given, row.data(), row.size());
            given++;
        }
        // Registers take what is there before the edge, and show it after.
        edge();
        if (cycle + 1 >= CYCLES && written < given) {
            fwrite(&top.answer, ANSWER_BYTES, 1, answers);
            written++;
        }
    }
    if (fclose(answers) != 0) {
        perror("stream");
        return 3;
    }
    return 0;
}
