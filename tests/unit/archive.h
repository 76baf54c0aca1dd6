/* Zip archives made byte by byte, so that any of them can be wrong. Include after fixture.h. */
#ifndef SFT_TESTS_ARCHIVE_H
#define SFT_TESTS_ARCHIVE_H

#include <stdbool.h>

#include <zlib.h>

#include "checkpoint/region.h"
#include "checkpoint/zip.h"
#include "io/source.h"

/* Bytes that grow. */
typedef struct bytes {
    uint8_t *at;
    size_t size, room;
} bytes;

static inline void put(bytes *to, const void *from, size_t size) {
    if (to->room - to->size < size) {
        to->room = (to->size + size) * 2;
        to->at = realloc(to->at, to->room);
        assert_non_null(to->at);
    }
    if (size > 0) {
        memcpy(to->at + to->size, from, size);
    }
    to->size += size;
}

static inline void put_number(bytes *to, uint64_t number, unsigned width) {
    for (unsigned i = 0; i < width; i++) {
        uint8_t byte = (uint8_t)(number >> (8 * i));
        put(to, &byte, 1);
    }
}

static inline void set_number(bytes *in, size_t at, uint64_t number, unsigned width) {
    for (unsigned i = 0; i < width; i++) {
        in->at[at + i] = (uint8_t)(number >> (8 * i));
    }
}

/* A file for an archive. What is left zero is as it should be. */
typedef struct archive_file {
    const char *name;
    const void *data; /* packed */
    size_t data_size;
    uint16_t method, flags;
    uint64_t size; /* unpacked; 0: data_size */
    uint32_t crc;
    bool no_crc; /* 0 where the checksum should be */
    const char *local_name;
    const void *local_extra;
    size_t local_extra_size;
    const void *extra;
    size_t extra_size;
    const char *comment;
} archive_file;

typedef struct archive {
    bytes file;
    bytes directory;
    uint64_t count;
    size_t last_local, last_central; /* where the record of the last file is in either */
} archive;

static inline void add_numbers(bytes *to, const archive_file *of, uint32_t crc, bool none) {
    put_number(to, none ? 0 : crc, 4);
    put_number(to, none ? 0 : of->data_size, 4);
    put_number(to, none ? 0 : of->size != 0 ? of->size : of->data_size, 4);
}

static inline void archive_add(archive *to, const archive_file *of) {
    const char *local_name = of->local_name != NULL ? of->local_name : of->name;
    uint32_t crc = of->no_crc     ? 0
                   : of->crc != 0 ? of->crc
                                  : (uint32_t)crc32(0, of->data, (unsigned)of->data_size);
    bool later = (of->flags & 8) != 0;
    to->last_local = to->file.size;
    to->last_central = to->directory.size;
    put(&to->directory, "PK\1\2\24\0\24\0", 8);
    put_number(&to->directory, of->flags, 2);
    put_number(&to->directory, of->method, 2);
    put_number(&to->directory, 0, 4);
    add_numbers(&to->directory, of, crc, false);
    put_number(&to->directory, strlen(of->name), 2);
    put_number(&to->directory, of->extra_size, 2);
    put_number(&to->directory, of->comment != NULL ? strlen(of->comment) : 0, 2);
    put_number(&to->directory, 0, 8);
    put_number(&to->directory, to->file.size, 4);
    put(&to->directory, of->name, strlen(of->name));
    put(&to->directory, of->extra, of->extra_size);
    put(&to->directory, of->comment, of->comment != NULL ? strlen(of->comment) : 0);
    put(&to->file, "PK\3\4\24\0", 6);
    put_number(&to->file, of->flags, 2);
    put_number(&to->file, of->method, 2);
    put_number(&to->file, 0, 4);
    add_numbers(&to->file, of, crc, later);
    put_number(&to->file, strlen(local_name), 2);
    put_number(&to->file, of->local_extra_size, 2);
    put(&to->file, local_name, strlen(local_name));
    put(&to->file, of->local_extra, of->local_extra_size);
    put(&to->file, of->data, of->data_size);
    if (later) {
        put(&to->file, "PK\7\10", 4);
        add_numbers(&to->file, of, crc, false);
    }
    to->count++;
}

static inline void archive_add_text(archive *to, const char *name, const char *text) {
    const archive_file of = {.name = name, .data = text, .data_size = strlen(text)};
    archive_add(to, &of);
}

/* The directory and the end record. Returns where the directory begins. */
static inline size_t archive_end(archive *of) {
    size_t place = of->file.size;
    put(&of->file, of->directory.at, of->directory.size);
    put(&of->file, "PK\5\6\0\0\0\0", 8);
    put_number(&of->file, of->count, 2);
    put_number(&of->file, of->count, 2);
    put_number(&of->file, of->directory.size, 4);
    put_number(&of->file, place, 4);
    put_number(&of->file, 0, 2);
    return place;
}

/* The same with the end record of zip64 before the other one, which says nothing itself. */
static inline size_t archive_end64(archive *of) {
    size_t place = of->file.size;
    put(&of->file, of->directory.at, of->directory.size);
    size_t end = of->file.size;
    put(&of->file, "PK\6\6", 4);
    put_number(&of->file, 44, 8);
    put_number(&of->file, 45 | 45 << 16, 4);
    put_number(&of->file, 0, 8);
    put_number(&of->file, of->count, 8);
    put_number(&of->file, of->count, 8);
    put_number(&of->file, of->directory.size, 8);
    put_number(&of->file, place, 8);
    put(&of->file, "PK\6\7\0\0\0\0", 8);
    put_number(&of->file, end, 8);
    put_number(&of->file, 1, 4);
    put(&of->file, "PK\5\6\0\0\0\0\377\377\377\377\377\377\377\377\377\377\377\377\0", 22);
    return place;
}

static inline void archive_free(archive *of) {
    free(of->file.at);
    free(of->directory.at);
    *of = (archive){{0}, {0}, 0, 0, 0};
}

/* What deflate makes of some bytes, for the caller to free. */
static inline bytes deflated(const void *data, size_t size, int window_bits) {
    bytes packed = {malloc(size + 1024), 0, size + 1024};
    assert_non_null(packed.at);
    z_stream z;
    memset(&z, 0, sizeof z);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, window_bits, 9, 0), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)data;
    z.avail_in = (unsigned)size;
    z.next_out = packed.at;
    z.avail_out = (unsigned)packed.room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    packed.size = packed.room - z.avail_out;
    assert_int_equal(deflateEnd(&z), Z_OK);
    return packed;
}

/* Some bytes as a region, in a piece of memory of exactly their size: a read beyond is seen. */
typedef struct held {
    sft_sources sources;
    sft_region region;
} held;

static inline void hold(held *as, const void *from, size_t size) {
    sft_sources_init(&as->sources, NULL);
    assert_ok(sft_sources_memory(&as->sources, from, size, &as->region, NULL));
}

/* Fails the test with the error's own words. */
static inline void expect_ok(sft_status status, const sft_error *error) {
    if (status != SFT_OK) {
        fail_msg("%s: %s", sft_status_name(status), error->message);
    }
}

/* What an archive was told to be odd for. */
typedef struct oddities {
    uint64_t count;
    char codes[512]; /* each once, with a blank between */
    sft_severity worst;
} oddities;

static inline void note_oddity(void *context, const sft_zip_oddity *oddity) {
    oddities *all = context;
    all->count++;
    if (strstr(all->codes, oddity->code) == NULL) {
        size_t used = strlen(all->codes);
        snprintf(all->codes + used, sizeof all->codes - used, "%s%s", used > 0 ? " " : "",
                 oddity->code);
    }
    all->worst = oddity->severity > all->worst ? oddity->severity : all->worst;
    assert_true(strlen(oddity->detail) > 10);
}

/* Opens an archive. The caller frees it. */
static inline sft_status open_archive(sft_zip *zip, const sft_region *region, oddities *all,
                                      sft_error *error) {
    *all = (oddities){0, "", SFT_SEVERITY_WARNING};
    const sft_zip_options options = {.odd = note_oddity, .context = all};
    return sft_zip_open(zip, region, &options, error);
}

#endif
