/* The streaming writer: declare, begin, put in any order from many threads, commit. */
#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "format/encode.h"
#include "io/os.h"
#include "io/replace.h"
#include "io/source.h"
#include "io/transfer.h"
#include "model/coverage.h"
#include "model/save.h"
#include "model/writer.h"

typedef enum state {
    DECLARING,
    WRITING,
    COMMITTED,
    USELESS /* a call failed in a way that cannot be made good */
} state;

struct sft_writer {
    sft_save save;
    sft_arena arena; /* path, names, shapes and metadata */
    const char *path;
    const char *new_folder; /* the commit makes it, and puts `new_name` there; or NULL */
    const char *new_name;
    sft_encode_tensor *tensors;
    uint64_t tensor_capacity;
    uint64_t count;
    sft_coverage *coverage; /* one a tensor, from begin on */
    uint64_t data_start;
    uint64_t data_size;
    sft_replace replace;
    bool replacing;         /* replace has begun, and not ended */
    sft_os_mutex mutex;     /* over state, coverage and arrived */
    sft_os_mutex reporting; /* over save.reported: one progress call at a time */
    state state;
    uint64_t arrived; /* bytes of the data that have come, each counted once */
};

/* ---- life ---- */

static sft_status copy_metadata(sft_writer *writer, sft_error *error) {
    sft_write_options *options = &writer->save.options;
    uint64_t bytes;
    sft_metadata_entry *copies = NULL;
    if (sft_multiply(options->metadata_count, sizeof *copies, &bytes)) {
        copies = sft_arena_take(&writer->arena, bytes);
    }
    for (uint64_t i = 0; i < options->metadata_count && copies != NULL; i++) {
        const sft_metadata_entry *given = &options->metadata[i];
        char *key = sft_arena_copy(&writer->arena, given->key, given->key_length);
        char *value = sft_arena_copy(&writer->arena, given->value, given->value_length);
        copies[i] = (sft_metadata_entry){key, given->key_length, value, given->value_length};
        if (key == NULL || value == NULL) {
            copies = NULL;
        }
    }
    options->metadata = copies;
    return copies != NULL ? SFT_OK : sft_fail_memory(error);
}

static sft_status fill(sft_writer *writer, const char *path, sft_error *error) {
    const sft_write_options *options = &writer->save.options;
    sft_status status = sft_encode_check_metadata(options->metadata, options->metadata_count,
                                                  &writer->save.allocator, error);
    if (status != SFT_OK) {
        return status;
    }
    writer->path = sft_arena_copy(&writer->arena, path, strlen(path) + 1);
    return writer->path != NULL ? copy_metadata(writer, error) : sft_fail_memory(error);
}

static bool make_mutexes(sft_writer *writer) {
    if (sft_os_mutex_init(&writer->mutex) != 0) {
        return false;
    }
    if (sft_os_mutex_init(&writer->reporting) != 0) {
        sft_os_mutex_free(&writer->mutex);
        return false;
    }
    return true;
}

static sft_status make_writer(const char *path, const sft_write_options *options,
                              sft_writer **writer, sft_error *error) {
    sft_save save;
    sft_status status = sft_save_init(&save, options, error);
    if (status != SFT_OK) {
        return status;
    }
    sft_writer *made = sft_allocate_zeroed(&save.allocator, 1, sizeof *made);
    if (made == NULL) {
        return sft_fail_memory(error);
    }
    made->save = save;
    sft_arena_init(&made->arena, &save.allocator);
    if (!make_mutexes(made)) {
        sft_release(&save.allocator, made, sizeof *made);
        return sft_fail_memory(error);
    }
    status = fill(made, path, error);
    if (status != SFT_OK) {
        sft_writer_free(made);
        return status;
    }
    *writer = made;
    return SFT_OK;
}

sft_status sft_writer_new(const char *path, const sft_write_options *options, sft_writer **writer,
                          sft_error *error) {
    if (path == NULL || writer == NULL) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        path == NULL ? "no path is given" : "no place for the handle");
    }
    *writer = NULL;
    sft_status status = make_writer(path, options, writer, error);
    if (status != SFT_OK) {
        sft_error_file(error, path);
    }
    return status;
}

void sft_writer_free(sft_writer *writer) {
    if (writer == NULL) {
        return;
    }
    if (writer->replacing) {
        sft_replace_abort(&writer->replace);
    }
    sft_allocator allocator = writer->save.allocator;
    if (writer->coverage != NULL) {
        for (uint64_t i = 0; i < writer->count; i++) {
            sft_coverage_free(&writer->coverage[i], &allocator);
        }
        sft_release(&allocator, writer->coverage, writer->count * sizeof *writer->coverage);
    }
    sft_release(&allocator, writer->tensors, writer->tensor_capacity * sizeof *writer->tensors);
    sft_arena_free(&writer->arena);
    sft_os_mutex_free(&writer->reporting);
    sft_os_mutex_free(&writer->mutex);
    sft_release(&allocator, writer, sizeof *writer);
}

/* ---- declaring ---- */

static sft_status wrong_state(const sft_writer *writer, state now, const char *call,
                              sft_error *error) {
    static const char *const reasons[] = {
        [DECLARING] = "comes before sft_writer_begin()",
        [WRITING] = "comes after sft_writer_begin()",
        [COMMITTED] = "comes after sft_writer_commit()",
        [USELESS] = "comes after a failure: only sft_writer_free() is left",
    };
    sft_fail(error, SFT_WRONG_STATE, SFT_NO_BYTE, "%s %s", call, reasons[now]);
    sft_error_file(error, writer->path);
    return SFT_WRONG_STATE;
}

static sft_status no_writer(sft_error *error) {
    return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE, "no writer is given");
}

static sft_status declare(sft_writer *writer, sft_encode_tensor *tensor, uint64_t *index,
                          sft_error *error) {
    sft_status status = sft_encode_check_tensor(tensor, error);
    if (status != SFT_OK) {
        return status;
    }
    void *items = writer->tensors;
    bool fits = sft_grow(&writer->save.allocator, &items, &writer->tensor_capacity, writer->count,
                         sizeof *tensor);
    writer->tensors = items;
    tensor->name = sft_arena_copy(&writer->arena, tensor->name, tensor->name_length);
    tensor->shape = (const uint64_t *)(const void *)sft_arena_copy(
        &writer->arena, (const char *)tensor->shape, tensor->rank * sizeof *tensor->shape);
    if (!fits || tensor->name == NULL || tensor->shape == NULL) {
        writer->state = USELESS;
        return sft_fail_memory(error);
    }
    if (index != NULL) {
        *index = writer->count;
    }
    writer->tensors[writer->count++] = *tensor;
    return SFT_OK;
}

sft_status sft_writer_declare(sft_writer *writer, const char *name, size_t name_length,
                              sft_dtype dtype, const uint64_t *shape, uint32_t rank,
                              uint64_t *index, sft_error *error) {
    if (writer == NULL) {
        return no_writer(error);
    }
    if (writer->state != DECLARING) {
        return wrong_state(writer, writer->state, "sft_writer_declare()", error);
    }
    sft_encode_tensor tensor = {
        .name = name, .name_length = name_length, .dtype = dtype, .shape = shape, .rank = rank};
    sft_status status = declare(writer, &tensor, index, error);
    if (status != SFT_OK) {
        sft_error_file(error, writer->path);
    }
    return status;
}

/* ---- beginning ---- */

static sft_status write_header(sft_writer *writer, const char *bytes, sft_error *error) {
    const sft_write_options *options = &writer->save.options;
    sft_status status =
        writer->new_folder != NULL
            ? sft_replace_begin_in(&writer->replace, writer->new_folder, writer->new_name,
                                   options->durable, options->keep_existing, error)
            : sft_replace_begin(&writer->replace, writer->path, options->durable,
                                options->keep_existing, error);
    if (status != SFT_OK) {
        return status;
    }
    if (writer->save.total >= SFT_WORTH_RESERVING) {
        sft_os_reserve(writer->replace.fd, writer->save.total);
    }
    int failure = sft_write_whole(writer->replace.fd, 0, bytes, writer->data_start);
    status = failure == 0
                 ? sft_save_report(&writer->save, writer->data_start, error)
                 : sft_fail_system(error, SFT_WRITE_FAILED, failure, "cannot write the new file");
    /* A failed writer keeps its file until it is freed: other threads may be at it. */
    writer->replacing = true;
    return status;
}

static sft_status begin(sft_writer *writer, sft_error *error) {
    const sft_write_options *options = &writer->save.options;
    sft_encode_input input = {.tensors = writer->tensors,
                              .count = writer->count,
                              .metadata = options->metadata,
                              .metadata_count = options->metadata_count,
                              .empty_metadata = options->empty_metadata,
                              .alignment = options->alignment,
                              .allocator = &writer->save.allocator};
    sft_os_random(input.seed);
    writer->coverage =
        sft_allocate_zeroed(&writer->save.allocator, writer->count, sizeof *writer->coverage);
    if (writer->coverage == NULL) {
        return sft_fail_memory(error);
    }
    sft_encoded encoded;
    sft_status status = sft_encode_header(&input, &encoded, error);
    if (status != SFT_OK) {
        return status;
    }
    writer->data_start = encoded.data_start;
    writer->data_size = encoded.data_size;
    writer->save.total = encoded.data_start + encoded.data_size;
    status = write_header(writer, encoded.bytes, error);
    sft_encoded_free(&encoded);
    return status;
}

sft_status sft_writer_begin(sft_writer *writer, sft_error *error) {
    if (writer == NULL) {
        return no_writer(error);
    }
    if (writer->state != DECLARING) {
        return wrong_state(writer, writer->state, "sft_writer_begin()", error);
    }
    sft_status status = begin(writer, error);
    writer->state = status == SFT_OK ? WRITING : USELESS;
    if (status != SFT_OK) {
        sft_error_file(error, writer->path);
    }
    return status;
}

/* ---- delivering ---- */

static state state_of(sft_writer *writer) {
    sft_os_lock(&writer->mutex);
    state now = writer->state;
    sft_os_unlock(&writer->mutex);
    return now;
}

/* Notes that a piece is in the file. */
static bool note(sft_writer *writer, uint64_t index, uint64_t begin, uint64_t end) {
    uint64_t gained = 0;
    sft_os_lock(&writer->mutex);
    bool noted =
        sft_coverage_add(&writer->coverage[index], &writer->save.allocator, begin, end, &gained);
    writer->arrived += gained;
    sft_os_unlock(&writer->mutex);
    return noted;
}

static sft_status report(sft_writer *writer, sft_error *error) {
    if (writer->save.options.progress == NULL) {
        return SFT_OK;
    }
    sft_os_lock(&writer->reporting);
    sft_os_lock(&writer->mutex);
    uint64_t done = writer->data_start + writer->arrived;
    sft_os_unlock(&writer->mutex);
    sft_status status = sft_save_report(&writer->save, done, error);
    sft_os_unlock(&writer->reporting);
    return status;
}

static sft_status put_piece(sft_writer *writer, uint64_t index, uint64_t offset, const char *data,
                            uint64_t size, sft_error *error) {
    uint64_t place = writer->data_start + writer->tensors[index].begin + offset;
    int failure = sft_write_whole(writer->replace.fd, place, data, size);
    if (failure != 0) {
        return sft_fail_system(error, SFT_WRITE_FAILED, failure, "cannot write the new file");
    }
    if (!note(writer, index, offset, offset + size)) {
        return sft_fail_memory(error);
    }
    return report(writer, error);
}

static sft_status check_piece(const sft_writer *writer, uint64_t index, uint64_t offset,
                              const void *data, uint64_t size, sft_error *error) {
    if (index >= writer->count) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        "there is no tensor number %" PRIu64 ": %" PRIu64 " are declared", index,
                        writer->count);
    }
    const sft_encode_tensor *tensor = &writer->tensors[index];
    sft_status status = SFT_OK;
    if (data == NULL && size > 0) {
        status = sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE, "the piece's data is missing");
    } else if (offset > tensor->size || size > tensor->size - offset) {
        status = sft_fail(error, SFT_OUT_OF_BOUNDS, SFT_NO_BYTE,
                          "a piece of %" PRIu64 " bytes at %" PRIu64
                          " does not lie within the tensor's %" PRIu64 " bytes",
                          size, offset, tensor->size);
    }
    if (status != SFT_OK) {
        sft_error_tensor(error, tensor->name, tensor->name_length);
    }
    return status;
}

static sft_status put_all(sft_writer *writer, uint64_t index, uint64_t offset, const char *data,
                          uint64_t size, sft_error *error) {
    while (size > 0) {
        state now = state_of(writer);
        if (now != WRITING) {
            return wrong_state(writer, now, "sft_writer_put()", error);
        }
        uint64_t piece = sft_min(size, SFT_TRANSFER_PIECE);
        sft_status status = put_piece(writer, index, offset, data, piece, error);
        if (status != SFT_OK) {
            return status;
        }
        data += piece;
        offset += piece;
        size -= piece;
    }
    return SFT_OK;
}

static void give_up(sft_writer *writer) {
    sft_os_lock(&writer->mutex);
    writer->state = USELESS;
    sft_os_unlock(&writer->mutex);
}

sft_status sft_writer_put(sft_writer *writer, uint64_t index, uint64_t offset, const void *data,
                          uint64_t size, sft_error *error) {
    if (writer == NULL) {
        return no_writer(error);
    }
    state now = state_of(writer);
    if (now != WRITING) {
        return wrong_state(writer, now, "sft_writer_put()", error);
    }
    sft_status status = check_piece(writer, index, offset, data, size, error);
    if (status == SFT_OK) {
        status = put_all(writer, index, offset, data, size, error);
        if (status != SFT_OK) {
            give_up(writer);
        }
    }
    if (status != SFT_OK) {
        sft_error_file(error, writer->path);
    }
    return status;
}

/* ---- for floors above ---- */

void sft_writer_make_folder(sft_writer *writer, const char *folder, const char *name) {
    writer->new_folder = folder;
    writer->new_name = name;
}

uint64_t sft_writer_place(const sft_writer *writer, uint64_t index) {
    return writer->data_start + writer->tensors[index].begin;
}

uint64_t sft_writer_size(const sft_writer *writer) {
    return writer->data_start + writer->data_size;
}

sft_status sft_writer_put_run(sft_writer *writer, const uint32_t *indexes, uint64_t count,
                              const void *data, sft_error *error) {
    if (count == 0) {
        return SFT_OK;
    }
    uint64_t size = 0;
    for (uint64_t i = 0; i < count; i++) {
        size += writer->tensors[indexes[i]].size;
    }
    int failure =
        sft_write_whole(writer->replace.fd, sft_writer_place(writer, indexes[0]), data, size);
    sft_status status = failure == 0 ? SFT_OK
                                     : sft_fail_system(error, SFT_WRITE_FAILED, failure,
                                                       "cannot write the new file");
    for (uint64_t i = 0; i < count && status == SFT_OK; i++) {
        uint64_t bytes = writer->tensors[indexes[i]].size;
        if (bytes > 0 && !note(writer, indexes[i], 0, bytes)) {
            status = sft_fail_memory(error);
        }
    }
    if (status != SFT_OK) {
        give_up(writer);
        sft_error_file(error, writer->path);
    }
    return status;
}

sft_status sft_writer_read_back(const sft_writer *writer, uint64_t place, void *to, uint64_t size,
                                sft_error *error) {
    sft_source source = sft_source_of_fd(writer->replace.fd);
    sft_status status = sft_source_read(&source, place, to, size, error);
    if (status != SFT_OK) {
        sft_error_file(error, writer->path);
    }
    return status;
}

/* ---- committing ---- */

static sft_status incomplete(const sft_writer *writer, sft_error *error) {
    for (uint64_t i = 0; i < writer->count; i++) {
        const sft_encode_tensor *tensor = &writer->tensors[i];
        uint64_t missing = sft_coverage_missing(&writer->coverage[i]);
        if (missing < tensor->size) {
            sft_fail(error, SFT_INCOMPLETE, SFT_NO_BYTE,
                     "byte %" PRIu64 " of the tensor's %" PRIu64 " has not come; %" PRIu64
                     " bytes are missing in all",
                     missing, tensor->size, writer->data_size - writer->arrived);
            sft_error_tensor(error, tensor->name, tensor->name_length);
            break;
        }
    }
    return SFT_INCOMPLETE;
}

sft_status sft_writer_commit(sft_writer *writer, sft_error *error) {
    if (writer == NULL) {
        return no_writer(error);
    }
    if (writer->state != WRITING) {
        return wrong_state(writer, writer->state, "sft_writer_commit()", error);
    }
    sft_status status;
    if (writer->arrived < writer->data_size) {
        status = incomplete(writer, error);
    } else {
        status = sft_replace_commit(&writer->replace, error);
        writer->replacing = false;
        writer->state = status == SFT_OK ? COMMITTED : USELESS;
    }
    if (status != SFT_OK) {
        sft_error_file(error, writer->path);
    }
    return status;
}
