// Runs the simulated accelerator: simulate INPUTS ANSWERS CYCLES
//
// INPUTS holds rows of GIVEN_BYTES bytes; ANSWERS gets a row of ANSWER_BYTES for each, CYCLES the
// clock cycles as 64-bit integers, three for each row: to take the input, from its last byte to the
// answer's first, and to give the answer.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "Vedgeflow_core.h"
#include "verilated.h"

static Vedgeflow_core top;
static uint64_t now;

static void cycle()
{
    top.clock = 0;
    top.eval();
    top.clock = 1;
    top.eval();
    now++;
}

static FILE *opened(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (file == nullptr) {
        perror(path);
        exit(3);
    }
    return file;
}

static void wait_for(const CData &signal)
{
    const uint64_t begin = now;
    while (!signal) {
        cycle();
        if (now - begin > MOST_CYCLES) {
            fprintf(stderr, "simulate: nothing happens for %llu cycles\n",
                    (unsigned long long)(now - begin));
            exit(4);
        }
    }
}

int main(int count, char **arguments)
{
    if (count != 4) {
        fprintf(stderr, "usage: simulate INPUTS ANSWERS CYCLES\n");
        return 2;
    }
    FILE *inputs = opened(arguments[1], "rb"), *answers = opened(arguments[2], "wb");
    FILE *cycles = opened(arguments[3], "wb");
    std::vector<uint8_t> row(GIVEN_BYTES), answer(ANSWER_BYTES);
    top.reset = 1;
    top.given_valid = top.answer_ready = 0;
    cycle();
    cycle();
    top.reset = 0;
    cycle();
    while (fread(row.data(), row.size(), 1, inputs) == 1) {
        uint64_t found[3];
        const uint64_t begin = now;
        top.given_valid = 1;
        for (uint8_t byte : row) {
            top.given = byte;
            top.eval();
            wait_for(top.given_ready);
            cycle();
        }
        top.given_valid = 0;
        const uint64_t taken = now;
        wait_for(top.answer_valid);
        const uint64_t first = now;
        top.answer_ready = 1;
        for (uint8_t &byte : answer) {
            top.eval();
            wait_for(top.answer_valid);
            byte = top.answer;
            cycle();
        }
        top.answer_ready = 0;
        found[0] = taken - begin;
        found[1] = first - taken;
        found[2] = now - first;
        fwrite(answer.data(), answer.size(), 1, answers);
        fwrite(found, sizeof found, 1, cycles);
    }
    fclose(inputs);
    if (fclose(answers) != 0 || fclose(cycles) != 0) {
        perror("simulate");
        return 3;
    }
    return 0;
}
