/*
 * Runs a fuzz target over files, without a fuzzing engine: any compiler can build it, and every
 * run of the tests covers what fuzzing once found.
 *
 * Usage: replay_TARGET FILE-OR-FOLDER...
 */
#define _XOPEN_SOURCE 700

#include <errno.h>
#include <ftw.h>

#include "target.h"

static unsigned long inputs;

static int replay_file(const char *path, const struct stat *status, int type, struct FTW *place) {
    (void)place;
    if (type != FTW_F) {
        return 0;
    }
    size_t size = (size_t)status->st_size;
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = malloc(size > 0 ? size : 1); /* exactly as large: overreads are seen */
    if (file == NULL || bytes == NULL || fread(bytes, 1, size, file) != size) {
        fprintf(stderr, "replay: cannot read %s: %s\n", path, strerror(errno));
        exit(1);
    }
    fclose(file);
    if (getenv("REPLAY_VERBOSE") != NULL) {
        fprintf(stderr, "%s\n", path);
    }
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    inputs++;
    return 0;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (nftw(argv[i], replay_file, 16, FTW_PHYS) != 0) {
            fprintf(stderr, "replay: cannot read %s: %s\n", argv[i], strerror(errno));
            return 1;
        }
    }
    printf("%lu inputs, no finding\n", inputs);
    return inputs > 0 ? 0 : 1;
}
