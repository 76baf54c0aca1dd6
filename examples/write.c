/*
 * Writes one small model twice: in one call, and as a stream whose bytes come in
 * pieces and out of order. The two files are equal, byte for byte.
 */
#include <sft.h>
#include <stdio.h>

/* Bytes of a file are little-endian; U8 looks the same on every machine. */
static const uint8_t weight[2][3] = {{1, 2, 3}, {4, 5, 6}};
static const uint8_t bias[2] = {7, 8};
static const uint64_t weight_shape[] = {2, 3};
static const uint64_t bias_shape[] = {2};
static const sft_metadata_entry metadata[] = {{"made by", 7, "examples/write.c", 16}};

static sft_status write_at_once(const char *path, const sft_write_options *options,
                                sft_error *error) {
    const sft_tensor_data tensors[] = {
        {"weight", 6, SFT_U8, 2, weight_shape, weight, sizeof weight},
        {"bias", 4, SFT_U8, 1, bias_shape, bias, sizeof bias},
    };
    return sft_write(path, tensors, 2, options, error);
}

static sft_status deliver(sft_writer *writer, sft_error *error) {
    uint64_t w, b;
    sft_status status = sft_writer_declare(writer, "weight", 6, SFT_U8, weight_shape, 2, &w, error);
    if (status == SFT_OK) {
        status = sft_writer_declare(writer, "bias", 4, SFT_U8, bias_shape, 1, &b, error);
    }
    if (status == SFT_OK) {
        status = sft_writer_begin(writer, error);
    }
    if (status == SFT_OK) {
        status = sft_writer_put(writer, w, sizeof weight[0], weight[1], sizeof weight[1], error);
    }
    if (status == SFT_OK) {
        status = sft_writer_put(writer, b, 0, bias, sizeof bias, error);
    }
    if (status == SFT_OK) {
        status = sft_writer_put(writer, w, 0, weight[0], sizeof weight[0], error);
    }
    return status == SFT_OK ? sft_writer_commit(writer, error) : status;
}

static sft_status write_as_stream(const char *path, const sft_write_options *options,
                                  sft_error *error) {
    sft_writer *writer;
    sft_status status = sft_writer_new(path, options, &writer, error);
    if (status == SFT_OK) {
        status = deliver(writer, error);
        sft_writer_free(writer);
    }
    return status;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: write ONE TWO\n");
        return 64;
    }
    sft_write_options options = SFT_WRITE_OPTIONS;
    options.metadata = metadata;
    options.metadata_count = 1;
    sft_error error;
    if (write_at_once(argv[1], &options, &error) != SFT_OK ||
        write_as_stream(argv[2], &options, &error) != SFT_OK) {
        char line[2048];
        sft_error_format(&error, line, sizeof line);
        fprintf(stderr, "write: %s\n", line);
        return 1;
    }
    printf("wrote %s and %s\n", argv[1], argv[2]);
    return 0;
}
