// Runs a project of hls4ml as C++: emulate INPUTS ANSWERS
//
// INPUTS holds rows of GIVEN_BYTES signed bytes; ANSWERS gets a row of ANSWER_VALUES doubles for each.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

extern "C" void edgeflow_network_double(double *given, double *answer EXTRA_PARAMETERS);

static FILE *opened(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (file == nullptr) {
        perror(path);
        exit(3);
    }
    return file;
}

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    FILE *inputs = opened(arguments[1], "rb"), *answers = opened(arguments[2], "wb");
    std::vector<int8_t> bytes(GIVEN_BYTES);
    std::vector<double> given(GIVEN_BYTES), answer(ANSWER_VALUES);
    unsigned short sizes[2] = {GIVEN_BYTES, ANSWER_VALUES};
    (void)sizes;
    while (fread(bytes.data(), 1, bytes.size(), inputs) == bytes.size()) {
        given.assign(bytes.begin(), bytes.end());
        edgeflow_network_double(given.data(), answer.data() EXTRA_ARGUMENTS);
        fwrite(answer.data(), sizeof(double), answer.size(), answers);
    }
    return fclose(answers) != 0;
}
