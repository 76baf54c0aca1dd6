/* An open file, from inside. */
#ifndef SFT_SRC_MODEL_FILE_H
#define SFT_SRC_MODEL_FILE_H

#include <sft/reader.h>

#include "format/slice.h"

struct sft_file {
    sft_allocator allocator;
    sft_source source;
    bool in_memory; /* the source is memory: to be read directly */
    char *path;     /* for errors; NULL where there is none */
    uint64_t path_size;
    uint64_t size;
    const uint8_t *view; /* the whole file, or NULL */
    bool mapped;         /* the view is a mapping of ours */
    bool writable;       /* and a private one that may be written to */
    sft_header *header;
};

/* Reads bytes of the data, at an offset from its start; names file and tensor on failure. */
sft_status sft_file_read(const sft_file *file, const sft_tensor *tensor, uint64_t offset, void *to,
                         uint64_t size, sft_error *error);

/* Names file and tensor in an error, and passes the status on. */
sft_status sft_file_blame(const sft_file *file, const sft_tensor *tensor, sft_status status,
                          sft_error *error);

/*
 * Checks a request and finds out what it reads, without reading; ranges of NULL mean the whole
 * tensor.
 */
sft_status sft_file_plan(const sft_read_request *request, sft_slice_plan *plan, sft_error *error);

/* False where the tensor is none of this file's. */
bool sft_file_owns(const sft_file *file, const sft_tensor *tensor);

/* Opens a path with limits and access as sft_open() does, in the terms all openers share. */
typedef struct sft_file_origin {
    const char *path; /* or NULL */
    sft_source source;
    bool local;         /* mapping is as good as reading */
    bool source_is_fd;  /* what is mapped must be unmapped */
    const void *memory; /* or NULL */
} sft_file_origin;

sft_status sft_file_open(const sft_file_origin *origin, const sft_open_options *given,
                         sft_file **file, sft_error *error);

#endif
