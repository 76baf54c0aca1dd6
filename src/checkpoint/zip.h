/*
 * A strict reader of zip archives (PKWARE APPNOTE 6.3.x): the central directory, held against every
 * local record. What a reader of another kind might see differently is an anomaly, and is told.
 */
#ifndef SFT_SRC_CHECKPOINT_ZIP_H
#define SFT_SRC_CHECKPOINT_ZIP_H

#include <sft/base.h>
#include <sft/scan.h>

#include "base/arena.h"
#include "checkpoint/region.h"

typedef struct sft_zip_entry {
    const char *name; /* of the central record, raw bytes; begins as sft_named does */
    size_t name_length;
    uint16_t flags;
    uint16_t method; /* 0 stored, 8 deflate */
    uint32_t crc;
    uint64_t packed;   /* bytes in the archive */
    uint64_t size;     /* unpacked, as declared */
    uint64_t record;   /* where the local record begins, in the region */
    uint64_t data;     /* where its bytes begin */
    bool encrypted;    /* by its flags, local or central */
    bool known;        /* stored or deflate, and its record could be read */
    bool readable;     /* that, and not encrypted */
    bool folder;       /* the name ends with "/" and there are no bytes */
    const char *local; /* the local record's name where it differs, else NULL */
    size_t local_length;
} sft_zip_entry;

typedef struct sft_zip {
    sft_arena arena;
    sft_region region;
    sft_zip_entry *entries; /* in the order of the central directory */
    uint64_t count;
    uint64_t *slots; /* upper half: hash of the name in lower case; lower half: number + 1, or 0 */
    uint64_t capacity;
    uint64_t seed[2];
} sft_zip;

/* Something odd. `entry` is NULL where the archive as a whole is. `byte` is in the region. */
typedef struct sft_zip_oddity {
    sft_severity severity;
    const char *code; /* of sft/scan.h, static */
    const char *detail;
    const sft_zip_entry *entry;
    uint64_t byte;
} sft_zip_oddity;

typedef struct sft_zip_options {
    const sft_allocator *allocator;
    uint64_t entries; /* at most so many; 0: 1,000,000 */
    uint64_t memory;  /* bytes of the directory; 0: 192 MiB */
    void *context;
    void (*odd)(void *context, const sft_zip_oddity *oddity); /* or NULL */
} sft_zip_options;

/* Whether an end record can be found where readers look for one, whatever the file begins with. */
bool sft_zip_has_end(const sft_region *region);

/*
 * Reads the directory. SFT_MALFORMED_SOURCE where there is no sound one (entries that overlap,
 * several end records, a directory outside of the file…), SFT_SOURCE_LIMIT, SFT_NO_MEMORY,
 * SFT_READ_FAILED, SFT_FILE_SHRANK. sft_zip_free() in any case.
 */
sft_status sft_zip_open(sft_zip *zip, const sft_region *region, const sft_zip_options *options,
                        sft_error *error);
void sft_zip_free(sft_zip *zip);

/*
 * The bytes of a readable entry, unpacked where they are packed. `sources` keeps what that needs.
 * The label of the result is that of the archive and the entry's name. Of an entry that is known,
 * but says that it is encrypted: as if it were not, for that may be a lie.
 * SFT_UNSUPPORTED_SOURCE where it is not known, SFT_NO_MEMORY.
 */
sft_status sft_zip_region(const sft_zip *zip, const sft_zip_entry *entry, sft_sources *sources,
                          sft_region *region, sft_error *error);

/* The same for its first `size` bytes, whatever it declares, and even if it is damaged behind
 * them. Of a stored entry there are no more than `packed`. */
sft_status sft_zip_region_part(const sft_zip *zip, const sft_zip_entry *entry, uint64_t size,
                               sft_sources *sources, sft_region *region, sft_error *error);

/* What an entry really holds. */
typedef struct sft_zip_content {
    uint64_t size; /* bytes it unpacks to; those before the damage, or `limit`, where not `whole` */
    uint32_t crc;  /* of them */
    bool whole;    /* neither damaged nor cut, and nothing stands behind the compressed bytes */
    bool limited;  /* there are more than `limit` */
} sft_zip_content;

typedef struct sft_zip_check_options {
    uint64_t limit; /* bytes to be unpacked at most; 0: what the entry declares */
    /* Called now and then with the bytes of the archive that were read; false: SFT_CANCELLED. */
    bool (*progress)(void *context, uint64_t done);
    void *context;
    /* The whole archive as it lies in a file, past its source, or NULL: long stored entries are
     * read there, by several threads. */
    const sft_region *direct;
    /* Called with the bytes that were read so, past the source; false: SFT_CANCELLED. May be NULL.
     */
    bool (*passed)(void *context, uint64_t bytes);
} sft_zip_check_options;

/*
 * Reads a known entry once, and tells what it holds: to be held against entry->size and
 * entry->crc. That it is damaged is no error. SFT_NO_MEMORY, SFT_READ_FAILED, SFT_FILE_SHRANK,
 * SFT_CANCELLED.
 */
sft_status sft_zip_check(const sft_zip *zip, const sft_zip_entry *entry,
                         const sft_zip_check_options *options, sft_zip_content *content,
                         sft_error *error);

/* The bytes of any entry as they stand in the archive. False where they lie outside. */
bool sft_zip_raw(const sft_zip *zip, const sft_zip_entry *entry, sft_sources *sources,
                 sft_region *region);

/*
 * The entry of a name in the root folder ("data.pkl") as torch looks it up: ASCII letters without
 * regard to case. The root folder is that of the first entry, as in torch; without one, the name
 * is that of the entry. NULL if there is none. Constant time after open.
 */
const sft_zip_entry *sft_zip_find(const sft_zip *zip, const char *name, size_t length);

/* The folder that torch takes as the archive's root: the first entry's name up to its first "/". */
void sft_zip_root(const sft_zip *zip, const char **root, size_t *length);

#endif
