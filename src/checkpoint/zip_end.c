/*
 * The end of an archive: the end record, which may be followed by a comment of up to 64 KiB, and
 * the one of zip64 before it. Readers look for the last signature in that stretch: Python's zipfile
 * and the miniz in torch agree on that. They differ in where they think the directory is: Python
 * goes back from the end record by the directory's size, miniz to the offset that is stated.
 */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "checkpoint/zip_parts.h"

#define END_SIZE 22
#define END64_SIZE 56
#define LOCATOR_SIZE 20
#define LONGEST_TAIL (UINT64_C(65535) + END_SIZE)

/* What is read at once on the way back from the end. */
#define PIECE 4096

/* The last end record's signature that begins before `below`, and not before the tail. */
static sft_status find_signature(const sft_region *region, uint64_t below, uint64_t *position,
                                 bool *found, sft_error *error) {
    unsigned char bytes[PIECE + 3];
    uint64_t first = region->size > LONGEST_TAIL ? region->size - LONGEST_TAIL : 0;
    *found = false;
    while (below > first) {
        uint64_t start = below - first > PIECE ? below - PIECE : first;
        size_t size = (size_t)sft_min(below - start + 3, region->size - start);
        sft_status status = sft_region_read(region, start, bytes, size, error);
        if (status != SFT_OK) {
            return status;
        }
        for (size_t at = (size_t)(below - start); at-- > 0;) {
            if (size - at >= 4 && memcmp(bytes + at, "PK\5\6", 4) == 0) {
                *position = start + at;
                *found = true;
                return SFT_OK;
            }
        }
        below = start;
    }
    return SFT_OK;
}

/* Where the last one can begin that is whole. */
static uint64_t below_end(const sft_region *region) {
    return region->size < END_SIZE ? 0 : region->size - END_SIZE + 1;
}

typedef struct end_record {
    uint64_t disk, directory_disk;
    uint64_t count_here, count;
    uint64_t size, offset;
} end_record;

static end_record parse_end(const unsigned char *bytes) {
    return (end_record){sft_zip_16(bytes + 4),  sft_zip_16(bytes + 6),  sft_zip_16(bytes + 8),
                        sft_zip_16(bytes + 10), sft_zip_32(bytes + 12), sft_zip_32(bytes + 16)};
}

static end_record parse_end64(const unsigned char *bytes) {
    return (end_record){sft_zip_32(bytes + 16), sft_zip_32(bytes + 20), sft_zip_64(bytes + 24),
                        sft_zip_64(bytes + 32), sft_zip_64(bytes + 40), sft_zip_64(bytes + 48)};
}

/* What the shorter record says must be said by the longer one too, or be left to it. */
static bool agree(const end_record *narrow, const end_record *wide) {
    const struct {
        uint64_t narrow, wide, left;
    } pairs[] = {
        {narrow->disk, wide->disk, UINT16_MAX},
        {narrow->directory_disk, wide->directory_disk, UINT16_MAX},
        {narrow->count_here, wide->count_here, UINT16_MAX},
        {narrow->count, wide->count, UINT16_MAX},
        {narrow->size, wide->size, UINT32_MAX},
        {narrow->offset, wide->offset, UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (pairs[i].narrow != pairs[i].wide && pairs[i].narrow != pairs[i].left) {
            return false;
        }
    }
    return true;
}

/*
 * The zip64 end record, if its locator stands before the end record. miniz goes where the locator
 * says, Python to just before the locator: both must be the same place. *stated receives where the
 * locator says it is.
 */
static sft_status read_end64(const sft_region *region, uint64_t position, end_record *end,
                             uint64_t *begin, uint64_t *stated, sft_error *error) {
    unsigned char bytes[END64_SIZE + LOCATOR_SIZE] = {0};
    const unsigned char *locator = bytes + END64_SIZE;
    *begin = position;
    *stated = UINT64_MAX;
    uint64_t size = sft_min(sizeof bytes, position);
    uint64_t place = position - size;
    sft_status status = sft_region_read(region, place, bytes + (sizeof bytes - size), size, error);
    if (status != SFT_OK || memcmp(locator, "PK\6\7", 4) != 0) {
        return status;
    }
    if (memcmp(bytes, "PK\6\6", 4) != 0 || sft_zip_64(bytes + 4) != END64_SIZE - 12) {
        return sft_fail(error, SFT_MALFORMED_SOURCE, place,
                        "no zip64 end record stands before its locator");
    }
    end_record wide = parse_end64(bytes);
    if (sft_zip_32(locator + 4) != 0 || sft_zip_32(locator + 16) > 1) {
        return sft_fail(error, SFT_MALFORMED_SOURCE, place + END64_SIZE,
                        "this is one part of an archive in several files");
    }
    if (!agree(end, &wide)) {
        return sft_fail(error, SFT_MALFORMED_SOURCE, place,
                        "the end record and the zip64 one contradict each other");
    }
    *end = wide;
    *begin = place;
    *stated = sft_zip_64(locator + 8);
    return SFT_OK;
}

static sft_status begins_entry(const sft_region *region, uint64_t offset, bool *begins,
                               sft_error *error) {
    unsigned char bytes[4];
    *begins = false;
    if (offset > region->size || region->size - offset < sizeof bytes) {
        return SFT_OK;
    }
    sft_status status = sft_region_read(region, offset, bytes, sizeof bytes, error);
    *begins = status == SFT_OK && memcmp(bytes, "PK\1\2", 4) == 0;
    return status;
}

/* Where the directory is, if readers of both kinds can only mean one. */
static sft_status place_directory(sft_zip_reader *reader, const end_record *end, sft_error *error) {
    const sft_region *region = &reader->zip->region;
    if (end->size > reader->end || end->offset > reader->end - end->size) {
        return sft_fail(error, SFT_MALFORMED_SOURCE, reader->end,
                        "the directory would lie outside of the archive");
    }
    reader->directory_size = end->size;
    reader->count = end->count;
    reader->directory = reader->end - end->size;
    reader->base = reader->directory - end->offset;
    if (reader->base == 0) {
        return SFT_OK;
    }
    bool stated;
    bool adjacent;
    sft_status status = begins_entry(region, end->offset, &stated, error);
    if (status == SFT_OK) {
        status = begins_entry(region, reader->directory, &adjacent, error);
    }
    if (status != SFT_OK) {
        return status;
    }
    if (stated && adjacent) {
        return sft_fail(error, SFT_MALFORMED_SOURCE, end->offset,
                        "there are two directories: one where the end record says, and one before "
                        "the end record");
    }
    if (stated) {
        reader->directory = end->offset;
        reader->base = 0;
        sft_zip_tell(reader, SFT_SEVERITY_UNKNOWN, "ZIP_RECORDS", NULL, end->offset + end->size,
                     "bytes stand between the directory and the end record");
    }
    return SFT_OK;
}

/* Whether what stands at a signature could be the end of this archive, or of one in it. */
static sft_status is_plausible(const sft_region *region, uint64_t position, bool *plausible,
                               sft_error *error) {
    unsigned char bytes[END_SIZE];
    sft_status status = sft_region_read(region, position, bytes, sizeof bytes, error);
    if (status == SFT_OK) {
        end_record end = parse_end(bytes);
        bool wide = end.size == UINT32_MAX || end.offset == UINT32_MAX;
        *plausible = wide || (end.size <= position && end.offset <= position - end.size);
    }
    return status;
}

bool sft_zip_has_end(const sft_region *region) {
    uint64_t position;
    bool found;
    bool plausible = false;
    return find_signature(region, below_end(region), &position, &found, NULL) == SFT_OK && found &&
           is_plausible(region, position, &plausible, NULL) == SFT_OK && plausible;
}

/* Another end record inside of the directory is for readers that look for it in another way. */
static sft_status refuse_others(const sft_zip_reader *reader, uint64_t position, sft_error *error) {
    const sft_region *region = &reader->zip->region;
    bool found;
    sft_status status = find_signature(region, position, &position, &found, error);
    while (status == SFT_OK && found && position >= reader->directory) {
        bool plausible = false;
        status = is_plausible(region, position, &plausible, error);
        if (status == SFT_OK && plausible) {
            return sft_fail(error, SFT_MALFORMED_SOURCE, position, "there are two end records");
        }
        if (status == SFT_OK) {
            status = find_signature(region, position, &position, &found, error);
        }
    }
    return status;
}

static void tell_of_tail(const sft_zip_reader *reader, uint64_t behind, uint64_t comment) {
    uint64_t rest = reader->zip->region.size - behind;
    if (comment > 0) {
        sft_zip_tell(reader, SFT_SEVERITY_UNKNOWN, "ZIP_COMMENT", NULL, behind,
                     "the archive has a comment");
    }
    if (comment > rest) {
        sft_zip_tell(reader, SFT_SEVERITY_UNKNOWN, "ZIP_RECORDS", NULL, behind,
                     "the archive's comment is longer than what is left of the file");
    } else if (comment < rest) {
        sft_zip_tell(reader, SFT_SEVERITY_UNKNOWN, "ZIP_TRAILING_BYTES", NULL, behind + comment,
                     "bytes stand behind the end of the archive");
    }
}

sft_status sft_zip_read_end(sft_zip_reader *reader, sft_error *error) {
    const sft_region *region = &reader->zip->region;
    unsigned char bytes[END_SIZE];
    uint64_t position;
    bool found;
    sft_status status = find_signature(region, below_end(region), &position, &found, error);
    if (status == SFT_OK && !found) {
        return sft_fail(error, SFT_MALFORMED_SOURCE, region->size,
                        "the archive's end record is missing: the file is cut short, or no zip "
                        "archive");
    }
    if (status == SFT_OK) {
        status = sft_region_read(region, position, bytes, sizeof bytes, error);
    }
    if (status != SFT_OK) {
        return status;
    }
    end_record end = parse_end(bytes);
    uint64_t stated;
    status = read_end64(region, position, &end, &reader->end, &stated, error);
    if (status == SFT_OK &&
        (end.disk != 0 || end.directory_disk != 0 || end.count_here != end.count)) {
        return sft_fail(error, SFT_MALFORMED_SOURCE, position,
                        "this is one part of an archive in several files");
    }
    if (status == SFT_OK) {
        status = place_directory(reader, &end, error);
    }
    if (status != SFT_OK) {
        return status;
    }
    if (stated != UINT64_MAX && stated != reader->end - reader->base) {
        return sft_fail(error, SFT_MALFORMED_SOURCE, position - LOCATOR_SIZE,
                        "the zip64 end record is not where its locator says");
    }
    tell_of_tail(reader, position + END_SIZE, sft_zip_16(bytes + 20));
    return refuse_others(reader, position, error);
}
