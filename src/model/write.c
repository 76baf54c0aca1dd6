/* Tensors in memory, written in one call: to a file, or to memory. */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "format/encode.h"
#include "io/os.h"
#include "io/replace.h"
#include "io/transfer.h"
#include "model/save.h"

/* A file that is fixed in every byte, but not written. */
typedef struct plan {
    sft_save save;
    const sft_tensor_data *given;
    sft_encode_tensor *tensors;
    uint64_t count;
    sft_encoded encoded;
} plan;

static sft_status take_tensor(const sft_tensor_data *given, bool needs_data,
                              sft_encode_tensor *tensor, sft_error *error) {
    *tensor = (sft_encode_tensor){.name = given->name,
                                  .name_length = given->name_length,
                                  .shape = given->shape,
                                  .rank = given->rank,
                                  .dtype = given->dtype};
    sft_status status = sft_encode_check_tensor(tensor, error);
    if (status != SFT_OK) {
        return status;
    }
    if (tensor->size != given->size) {
        status = sft_fail(error, SFT_BUFFER_SIZE, SFT_NO_BYTE,
                          "dtype and shape need %" PRIu64 " bytes, but %" PRIu64 " are given",
                          tensor->size, given->size);
    } else if (needs_data && given->data == NULL && given->size > 0) {
        status = sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE, "the tensor's data is missing");
    }
    if (status != SFT_OK) {
        sft_error_tensor(error, given->name, given->name_length);
    }
    return status;
}

static sft_status encode(plan *made, bool needs_data, sft_error *error) {
    const sft_write_options *options = &made->save.options;
    for (uint64_t i = 0; i < made->count; i++) {
        sft_status status = take_tensor(&made->given[i], needs_data, &made->tensors[i], error);
        if (status != SFT_OK) {
            return status;
        }
    }
    sft_status status = sft_encode_check_metadata(options->metadata, options->metadata_count,
                                                  &made->save.allocator, error);
    if (status != SFT_OK) {
        return status;
    }
    sft_encode_input input = {.tensors = made->tensors,
                              .count = made->count,
                              .metadata = options->metadata,
                              .metadata_count = options->metadata_count,
                              .empty_metadata = options->empty_metadata,
                              .alignment = options->alignment,
                              .allocator = &made->save.allocator};
    sft_os_random(input.seed);
    status = sft_encode_header(&input, &made->encoded, error);
    if (status == SFT_OK) {
        made->save.total = made->encoded.data_start + made->encoded.data_size;
    }
    return status;
}

static void free_plan(plan *made) {
    sft_release(&made->save.allocator, made->tensors, made->count * sizeof *made->tensors);
}

/* On success the caller frees both the plan and what is encoded. */
static sft_status make_plan(plan *made, const sft_tensor_data *tensors, uint64_t count,
                            const sft_write_options *options, bool needs_data, sft_error *error) {
    *made = (plan){.given = tensors, .count = count};
    if (tensors == NULL && count > 0) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        "tensors is a null pointer, but count is not 0");
    }
    sft_status status = sft_save_init(&made->save, options, error);
    if (status != SFT_OK) {
        return status;
    }
    made->tensors = sft_allocate_zeroed(&made->save.allocator, count, sizeof *made->tensors);
    if (made->tensors == NULL) {
        return sft_fail_memory(error);
    }
    status = encode(made, needs_data, error);
    if (status != SFT_OK) {
        free_plan(made);
    }
    return status;
}

static void drop_plan(plan *made) {
    sft_encoded_free(&made->encoded);
    free_plan(made);
}

/* ---- to a file ---- */

/* Collects small pieces that follow one another, so that a tensor of a few bytes costs no write of
 * its own. */
#define GATHER_ROOM (UINT64_C(256) * 1024)
#define SMALL_PIECE (GATHER_ROOM / 4)

typedef struct stream {
    sft_save *save;
    int fd;
    uint64_t written; /* bytes that are in the file */
    uint64_t held;    /* bytes in room, to be written behind them */
    char *room;
} stream;

static sft_status write_out(stream *out, const char *from, uint64_t size, sft_error *error) {
    while (size > 0) {
        uint64_t piece = sft_min(size, SFT_TRANSFER_PIECE);
        int failure = sft_write_whole(out->fd, out->written, from, piece);
        if (failure != 0) {
            return sft_fail_system(error, SFT_WRITE_FAILED, failure, "cannot write the new file");
        }
        out->written += piece;
        from += piece;
        size -= piece;
        sft_status status = sft_save_report(out->save, out->written, error);
        if (status != SFT_OK) {
            return status;
        }
    }
    return SFT_OK;
}

static sft_status flush(stream *out, sft_error *error) {
    uint64_t held = out->held;
    out->held = 0;
    return write_out(out, out->room, held, error);
}

static sft_status append(stream *out, const void *from, uint64_t size, sft_error *error) {
    if (size == 0) {
        return SFT_OK;
    }
    if (size > GATHER_ROOM - out->held || size > SMALL_PIECE) {
        sft_status status = flush(out, error);
        if (status != SFT_OK) {
            return status;
        }
    }
    if (size > SMALL_PIECE) {
        return write_out(out, from, size, error);
    }
    memcpy(out->room + out->held, from, (size_t)size);
    out->held += size;
    return SFT_OK;
}

static sft_status write_plan(const plan *made, stream *out, sft_error *error) {
    sft_status status = append(out, made->encoded.bytes, made->encoded.data_start, error);
    for (uint64_t i = 0; i < made->count && status == SFT_OK; i++) {
        const sft_tensor_data *tensor = &made->given[made->encoded.order[i]];
        status = append(out, tensor->data, tensor->size, error);
    }
    return status == SFT_OK ? flush(out, error) : status;
}

static sft_status save_plan(plan *made, const char *path, sft_error *error) {
    const sft_write_options *options = &made->save.options;
    stream out = {.save = &made->save};
    out.room = sft_allocate(&made->save.allocator, GATHER_ROOM);
    if (out.room == NULL) {
        return sft_fail_memory(error);
    }
    sft_replace replace;
    sft_status status =
        sft_replace_begin(&replace, path, options->durable, options->keep_existing, error);
    if (status == SFT_OK) {
        out.fd = replace.fd;
        if (made->save.total >= SFT_WORTH_RESERVING) {
            sft_os_reserve(replace.fd, made->save.total);
        }
        status = write_plan(made, &out, error);
        if (status == SFT_OK) {
            status = sft_replace_commit(&replace, error);
        } else {
            sft_replace_abort(&replace);
        }
    }
    sft_release(&made->save.allocator, out.room, GATHER_ROOM);
    return status;
}

sft_status sft_write(const char *path, const sft_tensor_data *tensors, uint64_t count,
                     const sft_write_options *options, sft_error *error) {
    if (path == NULL) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE, "no path is given");
    }
    plan made;
    sft_status status = make_plan(&made, tensors, count, options, true, error);
    if (status == SFT_OK) {
        status = save_plan(&made, path, error);
        drop_plan(&made);
    }
    if (status != SFT_OK) {
        sft_error_file(error, path);
    }
    return status;
}

/* ---- to memory ---- */

sft_status sft_encode_size(const sft_tensor_data *tensors, uint64_t count,
                           const sft_write_options *options, uint64_t *size, sft_error *error) {
    if (size == NULL) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE, "no place for the size");
    }
    plan made;
    sft_status status = make_plan(&made, tensors, count, options, false, error);
    if (status == SFT_OK) {
        *size = made.save.total;
        drop_plan(&made);
    }
    return status;
}

/* Returns where the next byte goes. */
static char *put(char *to, const void *from, uint64_t size) {
    if (size > 0) {
        memcpy(to, from, (size_t)size);
    }
    return to + size;
}

sft_status sft_encode(const sft_tensor_data *tensors, uint64_t count,
                      const sft_write_options *options, void *to, uint64_t size, sft_error *error) {
    if (to == NULL) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE, "no place for the file");
    }
    plan made;
    sft_status status = make_plan(&made, tensors, count, options, true, error);
    if (status != SFT_OK) {
        return status;
    }
    if (size != made.save.total) {
        status = sft_fail(error, SFT_BUFFER_SIZE, SFT_NO_BYTE,
                          "the file takes %" PRIu64 " bytes, but there is room for %" PRIu64,
                          made.save.total, size);
    } else {
        char *at = put(to, made.encoded.bytes, made.encoded.data_start);
        for (uint64_t i = 0; i < made.encoded.count; i++) {
            const sft_tensor_data *tensor = &tensors[made.encoded.order[i]];
            at = put(at, tensor->data, tensor->size);
        }
    }
    drop_plan(&made);
    return status;
}
