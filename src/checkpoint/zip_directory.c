/* The central directory: read in one piece, and every record of it. */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "checkpoint/zip_parts.h"

/* 4.5.2, 4.6.9 */
#define EXTRA_ZIP64 0x0001
#define EXTRA_UNICODE_PATH 0x7075

/* Fewer bytes than a part has at the front are what aligners of archives leave there: zeros. */
static bool is_padding(const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

sft_zip_extra sft_zip_read_extra(const unsigned char *bytes, size_t size) {
    sft_zip_extra extra = {0};
    while (size >= 4) {
        unsigned kind = sft_zip_16(bytes);
        size_t length = sft_zip_16(bytes + 2);
        bytes += 4;
        size -= 4;
        if (length > size) {
            return extra;
        }
        if (kind == EXTRA_ZIP64 && extra.zip64 != NULL) {
            extra.zip64_twice = true;
        } else if (kind == EXTRA_ZIP64) {
            extra.zip64 = bytes;
            extra.zip64_size = length;
        } else if (kind == EXTRA_UNICODE_PATH && length > 5) {
            /* A version, and the CRC of the name that this one stands for. */
            extra.unicode = bytes + 5;
            extra.unicode_size = length - 5;
        }
        bytes += length;
        size -= length;
    }
    extra.sound = is_padding(bytes, size);
    return extra;
}

bool sft_zip_widen(const sft_zip_extra *extra, uint64_t *const *values, unsigned count) {
    size_t used = 0;
    for (unsigned i = 0; i < count && extra->zip64 != NULL; i++) {
        if (*values[i] == UINT32_MAX) {
            if (extra->zip64_size - used < 8) {
                return false;
            }
            *values[i] = sft_zip_64(extra->zip64 + used);
            used += 8;
        }
    }
    return true;
}

static bool is_ascii(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

/* The other name is for a name in a character set that is not known: to others it adds nothing. */
static bool renames(const sft_zip_entry *entry, const sft_zip_extra *extra) {
    bool clear =
        (entry->flags & SFT_ZIP_FLAG_UTF8) != 0 || is_ascii(entry->name, entry->name_length);
    return extra->unicode != NULL && clear &&
           (extra->unicode_size != entry->name_length ||
            memcmp(extra->unicode, entry->name, entry->name_length) != 0);
}

/*
 * miniz takes for a folder what has this bit of DOS or a name that ends with a slash (4.4.15), and
 * reads nothing of it: torch is then given memory with anything in it.
 */
static bool is_said_to_be_folder(const sft_zip_entry *entry, uint32_t attributes) {
    size_t length = entry->name_length;
    return (attributes & 0x10) != 0 || (length > 0 && entry->name[length - 1] == '/');
}

static void tell_of_record(const sft_zip_reader *reader, const sft_zip_entry *entry, uint64_t byte,
                           const sft_zip_extra *extra, const unsigned char *bytes) {
    if (entry->size > 0 && is_said_to_be_folder(entry, sft_zip_32(bytes + 38))) {
        sft_zip_tell(reader, SFT_SEVERITY_UNKNOWN, "ZIP_RECORDS", entry, byte,
                     "the file is said to be a folder, which some readers skip, and has bytes");
    }
    if (!extra->sound || extra->zip64_twice) {
        sft_zip_tell(reader, SFT_SEVERITY_UNKNOWN, "ZIP_RECORDS", entry, byte,
                     "the extra field in the directory is damaged");
    }
    if (renames(entry, extra)) {
        sft_zip_tell(reader, SFT_SEVERITY_UNKNOWN, "ZIP_NAME_MISMATCH", entry, byte,
                     "the extra field in the directory gives the file another name");
    }
    if (sft_zip_16(bytes + 32) > 0) {
        sft_zip_tell(reader, SFT_SEVERITY_UNKNOWN, "ZIP_COMMENT", entry, byte,
                     "the file has a comment");
    }
}

/* Where the local record lies, in the region: before the directory. */
static bool place_record(const sft_zip_reader *reader, sft_zip_entry *entry) {
    uint64_t end;
    return sft_add(entry->record, reader->base, &entry->record) &&
           sft_add(entry->record, SFT_ZIP_LOCAL_SIZE, &end) && end <= reader->directory;
}

/*
 * One record, 4.3.12; *size receives its bytes. `byte` is its place in the region.
 */
static sft_status read_record(const sft_zip_reader *reader, const unsigned char *bytes,
                              uint64_t left, uint64_t byte, sft_zip_entry *entry, uint64_t *size,
                              sft_error *error) {
    if (left < SFT_ZIP_CENTRAL_SIZE || memcmp(bytes, "PK\1\2", 4) != 0) {
        return sft_fail(error, SFT_MALFORMED_SOURCE, byte,
                        "a record of the directory should begin here");
    }
    size_t name = sft_zip_16(bytes + 28);
    size_t extra_size = sft_zip_16(bytes + 30);
    size_t comment = sft_zip_16(bytes + 32);
    *size = SFT_ZIP_CENTRAL_SIZE + (uint64_t)name + extra_size + comment;
    if (*size > left) {
        return sft_fail(error, SFT_MALFORMED_SOURCE, byte,
                        "a record of the directory ends behind the directory");
    }
    entry->name = (const char *)bytes + SFT_ZIP_CENTRAL_SIZE;
    entry->name_length = name;
    entry->flags = sft_zip_16(bytes + 8);
    entry->method = sft_zip_16(bytes + 10);
    entry->crc = sft_zip_32(bytes + 16);
    entry->packed = sft_zip_32(bytes + 20);
    entry->size = sft_zip_32(bytes + 24);
    entry->record = sft_zip_32(bytes + 42);
    uint64_t disk = sft_zip_16(bytes + 34);
    sft_zip_extra extra = sft_zip_read_extra(bytes + SFT_ZIP_CENTRAL_SIZE + name, extra_size);
    uint64_t *const values[] = {&entry->size, &entry->packed, &entry->record};
    if (!sft_zip_widen(&extra, values, 3)) {
        return sft_fail(error, SFT_MALFORMED_SOURCE, byte, "a zip64 field is too short");
    }
    if (disk != 0 && !(disk == UINT16_MAX && extra.zip64 != NULL)) {
        return sft_fail(error, SFT_MALFORMED_SOURCE, byte,
                        "this is one part of an archive in several files");
    }
    if (!place_record(reader, entry)) {
        return sft_fail(error, SFT_MALFORMED_SOURCE, byte,
                        "a file's record would lie outside of the archive");
    }
    tell_of_record(reader, entry, byte, &extra, bytes);
    return SFT_OK;
}

static sft_status check_limits(const sft_zip_reader *reader, sft_error *error) {
    uint64_t entries = reader->options->entries != 0 ? reader->options->entries : 1000000;
    uint64_t memory = reader->options->memory != 0 ? reader->options->memory : UINT64_C(192) << 20;
    if (reader->count > reader->directory_size / SFT_ZIP_CENTRAL_SIZE) {
        return sft_fail(error, SFT_MALFORMED_SOURCE, reader->directory,
                        "the directory is too small for the %" PRIu64 " files it is said to list",
                        reader->count);
    }
    if (reader->count > entries) {
        return sft_fail(error, SFT_SOURCE_LIMIT, reader->directory,
                        "%" PRIu64 " files are more than the limit, %" PRIu64, reader->count,
                        entries);
    }
    uint64_t per_entry = reader->count * sizeof(sft_zip_entry) +
                         sft_zip_index_capacity(reader->count) * sizeof(uint64_t);
    if (reader->directory_size > memory || per_entry > memory - reader->directory_size) {
        return sft_fail(error, SFT_SOURCE_LIMIT, reader->directory,
                        "the directory needs more memory than the limit, %" PRIu64 " bytes",
                        memory);
    }
    return SFT_OK;
}

sft_status sft_zip_read_directory(sft_zip_reader *reader, sft_error *error) {
    sft_zip *zip = reader->zip;
    sft_status status = check_limits(reader, error);
    if (status != SFT_OK) {
        return status;
    }
    unsigned char *bytes = sft_arena_take(&zip->arena, reader->directory_size);
    zip->entries = sft_arena_take(&zip->arena, reader->count * sizeof(sft_zip_entry));
    if (bytes == NULL || zip->entries == NULL) {
        return sft_fail_memory(error);
    }
    status = sft_region_read(&zip->region, reader->directory, bytes, reader->directory_size, error);
    uint64_t at = 0;
    while (status == SFT_OK && zip->count < reader->count) {
        sft_zip_entry *entry = &zip->entries[zip->count];
        memset(entry, 0, sizeof *entry);
        uint64_t size = 0;
        status = read_record(reader, bytes + at, reader->directory_size - at,
                             reader->directory + at, entry, &size, error);
        at += size;
        zip->count += status == SFT_OK;
    }
    if (status == SFT_OK && at != reader->directory_size) {
        return sft_fail(error, SFT_MALFORMED_SOURCE, reader->directory + at,
                        "the directory goes on behind the files it is said to list");
    }
    return status;
}
