/* Opens a safetensors file and lists what is in it. */
#include <inttypes.h>
#include <sft.h>
#include <stdio.h>

int main(int argc, char **argv) {
    sft_file *file;
    sft_error error;
    if (argc != 2 || sft_open(argv[1], NULL, &file, &error) != SFT_OK) {
        fprintf(stderr, "inspect: %s\n", argc == 2 ? error.message : "usage: inspect FILE");
        return 1;
    }
    for (uint64_t i = 0; i < sft_count(file); i++) {
        const sft_tensor *tensor = sft_at(file, i);
        char name[256]; /* escaped: a name can be anything its maker wrote */
        sft_escape(tensor->name, tensor->name_length, NULL, name, sizeof name);
        printf("%s %s", name, sft_dtype_name(tensor->dtype));
        for (uint32_t d = 0; d < tensor->rank; d++) {
            printf("%s%" PRIu64, d == 0 ? " " : "x", tensor->shape[d]);
        }
        printf("\n");
    }
    sft_close(file);
    return 0;
}
