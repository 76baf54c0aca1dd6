/*
 * save HOW FILE LETTER SIZE - saves a model of one tensor, SIZE times the letter, with the letter
 * in its metadata too. HOW: write, stream, keep (refuses to replace), and each with "-durable"
 * behind it. For the tests of interrupted saves.
 */
#include <sft.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECES = 3 };

static sft_status stream(const char *path, const sft_tensor_data *tensor,
                         const sft_write_options *options, sft_error *error) {
    sft_writer *writer;
    sft_status status = sft_writer_new(path, options, &writer, error);
    if (status != SFT_OK) {
        return status;
    }
    status = sft_writer_declare(writer, tensor->name, tensor->name_length, tensor->dtype,
                                tensor->shape, tensor->rank, NULL, error);
    if (status == SFT_OK) {
        status = sft_writer_begin(writer, error);
    }
    uint64_t piece = tensor->size / PIECES + 1;
    for (uint64_t at = 0; at < tensor->size && status == SFT_OK; at += piece) {
        uint64_t left = tensor->size - at;
        status = sft_writer_put(writer, 0, at, (const char *)tensor->data + at,
                                left < piece ? left : piece, error);
    }
    if (status == SFT_OK) {
        status = sft_writer_commit(writer, error);
    }
    sft_writer_free(writer);
    return status;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fputs("usage: save HOW FILE LETTER SIZE\n", stderr);
        return 64;
    }
    const char *how = argv[1];
    uint64_t size = strtoull(argv[4], NULL, 10);
    char *data = malloc((size_t)size + 1);
    if (data == NULL) {
        return 3;
    }
    memset(data, argv[3][0], (size_t)size + 1);
    sft_tensor_data tensor = {"t", 1, SFT_U8, 1, &size, data, size};
    sft_metadata_entry entry = {"letter", 6, argv[3], 1};
    sft_write_options options = SFT_WRITE_OPTIONS;
    options.metadata = &entry;
    options.metadata_count = 1;
    options.durable = strstr(how, "-durable") != NULL;
    options.keep_existing = strncmp(how, "keep", 4) == 0;
    sft_error error;
    sft_status status = strncmp(how, "stream", 6) == 0
                            ? stream(argv[2], &tensor, &options, &error)
                            : sft_write(argv[2], &tensor, 1, &options, &error);
    free(data);
    if (status != SFT_OK) {
        char line[2048];
        sft_error_format(&error, line, sizeof line);
        fprintf(stderr, "save: %s\n", line);
        return 3;
    }
    return 0;
}
