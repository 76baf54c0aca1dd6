/* Opening and closing a file, and what it says of itself. */
#include "model/file.h"

#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "format/header.h"
#include "io/os.h"
#include "io/pages.h"
#include "io/source.h"

/* ---- bytes in memory as a source ---- */

/* What sft_source_of_bytes() needs, and who frees it. */
typedef struct memory {
    sft_bytes bytes;
    sft_allocator allocator;
} memory;

static void memory_close(void *context) {
    memory *from = context;
    sft_allocator allocator = from->allocator;
    sft_release(&allocator, from, sizeof *from);
}

static sft_status memory_source(const sft_allocator *allocator, const void *bytes, uint64_t size,
                                sft_source *source, sft_error *error) {
    memory *from = sft_allocate(allocator, sizeof *from);
    if (from == NULL) {
        sft_fail_memory(error);
        return SFT_NO_MEMORY;
    }
    *from = (memory){{bytes, size}, *allocator};
    *source = sft_source_of_bytes(&from->bytes);
    source->close = memory_close;
    return SFT_OK;
}

/* ---- opening ---- */

static sft_open_options options_of(const sft_open_options *given) {
    sft_open_options options = SFT_OPEN_OPTIONS;
    sft_options_copy(&options, sizeof options, given);
    return options;
}

/*
 * Reads the header into memory of our own, also where the file is mapped: what was checked must
 * not change afterwards, whoever writes to the file.
 */
static sft_status read_header(sft_file *file, const sft_open_options *options, sft_error *error) {
    sft_header_options wanted = SFT_HEADER_OPTIONS;
    wanted.limits = options->limits;
    wanted.allocator = &file->allocator;
    /* As much as tells what a file is that has no header. */
    unsigned char first[64] = {0};
    size_t known = (size_t)sft_min(file->size, sizeof first);
    uint64_t extent;
    sft_status status = sft_source_read(&file->source, 0, first, known, error);
    if (status == SFT_OK) {
        status = sft_header_extent(first, known, file->size, &wanted, &extent, error);
    }
    if (status != SFT_OK) {
        return status;
    }
    uint64_t text_size = extent - SFT_HEADER_PREFIX;
    char *text;
    status = sft_header_take_text(&wanted, text_size, &text, error);
    if (status != SFT_OK) {
        return status;
    }
    status = sft_source_read(&file->source, SFT_HEADER_PREFIX, text, text_size, error);
    if (status != SFT_OK) {
        sft_release(&file->allocator, text, text_size + 1);
        return status;
    }
    uint64_t seed[2];
    sft_os_random(seed);
    return sft_header_adopt(text, text_size, file->size, &wanted, seed, &file->header, error);
}

static sft_status map_file(sft_file *file, const sft_file_origin *origin,
                           const sft_open_options *options, sft_error *error) {
    sft_access access = options->access;
    if (origin->memory != NULL) {
        file->view = access == SFT_ACCESS_READ ? NULL : origin->memory;
        return SFT_OK;
    }
    if (access == SFT_ACCESS_READ || (access == SFT_ACCESS_AUTO && !origin->local)) {
        return SFT_OK;
    }
    if (origin->source_is_fd) {
        file->view = sft_source_map_fd(&file->source, file->size, options->writable);
        file->mapped = file->view != NULL;
        file->writable = file->mapped && options->writable;
    } else if (file->source.map != NULL) {
        file->view = file->source.map(file->source.context, file->size);
    }
    if (file->view == NULL && access == SFT_ACCESS_MAP) {
        return sft_fail(error, SFT_MAP_FAILED, SFT_NO_BYTE,
                        "the file cannot be mapped into memory: open it for reading instead");
    }
    return SFT_OK;
}

/* From here on the mapping is all there is of the file. */
static sft_status close_descriptor(sft_file *file, sft_error *error) {
    sft_source view;
    sft_status status = memory_source(&file->allocator, file->view, file->size, &view, error);
    if (status == SFT_OK) {
        file->source.close(file->source.context);
        file->source = view;
        file->in_memory = true;
    }
    return status;
}

static sft_status fill(sft_file *file, const sft_file_origin *origin,
                       const sft_open_options *options, sft_error *error) {
    if (origin->path != NULL) {
        file->path_size = strlen(origin->path) + 1;
        file->path = sft_allocate(&file->allocator, file->path_size);
        if (file->path == NULL) {
            file->path_size = 0;
            return sft_fail_memory(error);
        }
        memcpy(file->path, origin->path, (size_t)file->path_size);
    }
    int failure = file->source.size(file->source.context, &file->size);
    if (failure != 0) {
        return sft_fail_system(error, SFT_READ_FAILED, failure, "cannot tell the file's size");
    }
    sft_status status = read_header(file, options, error);
    if (status == SFT_OK) {
        status = map_file(file, origin, options, error);
    }
    bool closes = status == SFT_OK && file->mapped && options->no_descriptor;
    return closes ? close_descriptor(file, error) : status;
}

sft_status sft_file_open(const sft_file_origin *origin, const sft_open_options *given,
                         sft_file **file, sft_error *error) {
    sft_open_options options = options_of(given);
    sft_allocator allocator = sft_pages_allocator(options.allocator);
    sft_file *made = sft_allocate(&allocator, sizeof *made);
    sft_status status = SFT_NO_MEMORY;
    if (made == NULL) {
        if (origin->source.close != NULL) {
            origin->source.close(origin->source.context);
        }
        sft_fail_memory(error);
    } else {
        *made = (sft_file){
            .allocator = allocator, .source = origin->source, .in_memory = origin->memory != NULL};
        status = fill(made, origin, &options, error);
        if (status == SFT_OK) {
            *file = made;
            return SFT_OK;
        }
        sft_close(made);
    }
    sft_error_file(error, origin->path);
    return status;
}

static sft_status check_arguments(const void *what, const sft_open_options *options,
                                  sft_file **file, sft_error *error) {
    if (file != NULL) {
        *file = NULL;
    }
    if (file == NULL || what == NULL) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        "nothing to open, or no place for the handle");
    }
    sft_status status = sft_options_check(options, "SFT_OPEN_OPTIONS", error);
    if (status != SFT_OK) {
        return status;
    }
    sft_open_options known = options_of(options);
    if (!sft_allocator_usable(known.allocator)) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE, "the allocator lacks a function");
    }
    if ((unsigned)known.access > SFT_ACCESS_READ) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE, "no such way of access");
    }
    return SFT_OK;
}

static sft_status fail_open(int failure, const char *path, sft_error *error) {
    sft_fail_system(error, SFT_OPEN_FAILED, failure, "cannot open");
    sft_error_file(error, path);
    return SFT_OPEN_FAILED;
}

/* Takes the descriptor over, also on failure. */
static sft_status open_descriptor(int fd, const char *path, const sft_open_options *options,
                                  sft_file **file, sft_error *error) {
    sft_os_info info;
    int failure = sft_os_describe(fd, &info);
    if (failure != 0 || !info.regular) {
        sft_os_close(fd);
        if (failure != 0) {
            return fail_open(failure, path, error);
        }
        sft_fail(error, SFT_NOT_A_FILE, SFT_NO_BYTE,
                 info.folder ? "this is a folder, where a file is needed"
                             : "this is no regular file: a pipe or device cannot be read at will");
        if (info.folder && error != NULL) {
            error->system_error = EISDIR;
        }
        sft_error_file(error, path);
        return SFT_NOT_A_FILE;
    }
    sft_file_origin origin = {.path = path,
                              .source = sft_source_of_fd(fd),
                              .local = !sft_os_is_network(fd),
                              .source_is_fd = true};
    return sft_file_open(&origin, options, file, error);
}

sft_status sft_open(const char *path, const sft_open_options *options, sft_file **file,
                    sft_error *error) {
    sft_status status = check_arguments(path, options, file, error);
    if (status != SFT_OK) {
        return status;
    }
    int fd;
    int failure = sft_os_open(path, &fd);
    return failure != 0 ? fail_open(failure, path, error)
                        : open_descriptor(fd, path, options, file, error);
}

sft_status sft_open_fd(int fd, const sft_open_options *options, sft_file **file, sft_error *error) {
    sft_status status = check_arguments(&fd, options, file, error);
    if (status != SFT_OK) {
        return status;
    }
    int copy;
    int failure = sft_os_duplicate(fd, &copy);
    return failure != 0 ? fail_open(failure, NULL, error)
                        : open_descriptor(copy, NULL, options, file, error);
}

sft_status sft_open_source(const sft_source *source, const sft_open_options *options,
                           sft_file **file, sft_error *error) {
    sft_status status = check_arguments(source, options, file, error);
    if (status == SFT_OK && (source->size == NULL || source->read_at == NULL)) {
        status = sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                          "a source needs the functions size and read_at");
    }
    if (status != SFT_OK) {
        return status;
    }
    sft_file_origin origin = {.source = *source, .local = true};
    return sft_file_open(&origin, options, file, error);
}

sft_status sft_open_memory(const void *bytes, uint64_t size, const sft_open_options *options,
                           sft_file **file, sft_error *error) {
    /* Nothing at all is a file of no bytes, and is refused as such. */
    static const uint8_t nothing[1] = {0};
    bytes = bytes == NULL && size == 0 ? nothing : bytes;
    sft_status status = check_arguments(bytes, options, file, error);
    if (status == SFT_OK && size > PTRDIFF_MAX) {
        status = sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                          "no host has that much memory: is the size right?");
    }
    if (status != SFT_OK) {
        return status;
    }
    sft_allocator allocator = sft_allocator_of(options_of(options).allocator);
    sft_file_origin origin = {.memory = bytes};
    status = memory_source(&allocator, bytes, size, &origin.source, error);
    return status == SFT_OK ? sft_file_open(&origin, options, file, error) : status;
}

/* ---- the handle ---- */

void sft_close(sft_file *file) {
    if (file == NULL) {
        return;
    }
    sft_header_free(file->header);
    if (file->mapped) {
        sft_os_unmap(file->view, file->size);
    }
    if (file->source.close != NULL) {
        file->source.close(file->source.context);
    }
    sft_allocator allocator = file->allocator;
    sft_release(&allocator, file->path, file->path_size);
    sft_release(&allocator, file, sizeof *file);
}

const sft_header *sft_file_header(const sft_file *file) {
    return file->header;
}

uint64_t sft_file_size(const sft_file *file) {
    return file->size;
}

uint64_t sft_count(const sft_file *file) {
    return sft_header_count(file->header);
}

const sft_tensor *sft_at(const sft_file *file, uint64_t index) {
    return sft_header_at(file->header, index);
}

const sft_tensor *sft_find(const sft_file *file, const char *name, size_t length) {
    return sft_header_find(file->header, name, length);
}

const void *sft_data(const sft_file *file, const sft_tensor *tensor) {
    if (file->view == NULL || !sft_file_owns(file, tensor)) {
        return NULL;
    }
    return file->view + sft_header_data_start(file->header) + tensor->begin;
}

void *sft_data_writable(const sft_file *file, const sft_tensor *tensor) {
    return file->writable ? (void *)(uintptr_t)sft_data(file, tensor) : NULL;
}

bool sft_file_owns(const sft_file *file, const sft_tensor *tensor) {
    /* Compared as numbers: the pointer may lead anywhere. */
    uintptr_t first = (uintptr_t)file->header->tensors;
    uintptr_t at = (uintptr_t)tensor;
    return at >= first && (at - first) / sizeof *tensor < file->header->count &&
           (at - first) % sizeof *tensor == 0;
}
