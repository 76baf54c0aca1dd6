/*
 * The local records, each of which stands before its file's bytes, held against the directory.
 * Readers take the name, the sizes and the method from here or from there: where they differ, they
 * do not see the same archive. Bytes that no record accounts for may be a record that another
 * reader finds.
 */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/sort.h"
#include "checkpoint/zip_parts.h"

/* The longest record: a name and an extra field have 16 bits for their lengths. */
#define LONGEST (SFT_ZIP_LOCAL_SIZE + 2 * UINT64_C(65535))

/* Records that lie this close are read together. */
#define CLOSE UINT64_C(16384)

/* A descriptor's bytes: three numbers, of which zip64 has two with 64 bits, and maybe a signature.
 */
#define LONGEST_DESCRIPTOR 24

/* A stretch of the archive in memory. */
typedef struct window {
    const sft_region *region;
    uint64_t start, size;
    unsigned char bytes[LONGEST + CLOSE];
} window;

/* Bytes of the archive; `ahead` tells how many more will be asked for soon. They all lie in it. */
static sft_status look_at(window *in, uint64_t offset, uint64_t size, uint64_t ahead,
                          const unsigned char **bytes, sft_error *error) {
    if (offset < in->start || offset - in->start > in->size ||
        in->size - (offset - in->start) < size) {
        uint64_t wanted = sft_min(size + ahead, sizeof in->bytes);
        in->start = offset;
        in->size = 0;
        uint64_t read = sft_min(wanted, in->region->size - offset);
        sft_status status = sft_region_read(in->region, offset, in->bytes, read, error);
        if (status != SFT_OK) {
            return status;
        }
        in->size = read;
    }
    *bytes = in->bytes + (offset - in->start);
    return SFT_OK;
}

typedef struct local_reader {
    sft_zip_reader *reader;
    window *in;
    uint64_t limit; /* where the next record begins, or the directory */
    uint64_t ahead;
} local_reader;

/* The fields of a local record, 4.3.7. */
typedef struct local_record {
    uint16_t flags, method;
    uint32_t crc;
    uint64_t packed, size;
    const char *name;
    size_t name_length;
    sft_zip_extra extra;
    bool wide_enough;
} local_record;

static local_record parse_local(const unsigned char *bytes) {
    local_record local = {.flags = sft_zip_16(bytes + 6),
                          .method = sft_zip_16(bytes + 8),
                          .crc = sft_zip_32(bytes + 14),
                          .packed = sft_zip_32(bytes + 18),
                          .size = sft_zip_32(bytes + 22),
                          .name = (const char *)bytes + SFT_ZIP_LOCAL_SIZE,
                          .name_length = sft_zip_16(bytes + 26)};
    size_t extra_size = sft_zip_16(bytes + 28);
    local.extra = sft_zip_read_extra(bytes + SFT_ZIP_LOCAL_SIZE + local.name_length, extra_size);
    uint64_t *const values[] = {&local.size, &local.packed};
    local.wide_enough = sft_zip_widen(&local.extra, values, 2);
    return local;
}

static void tell(const local_reader *from, const char *code, const sft_zip_entry *entry,
                 const char *detail) {
    sft_zip_tell(from->reader, SFT_SEVERITY_UNKNOWN, code, entry, entry->record, detail);
}

/* Where a descriptor follows the bytes, the record before them may leave the numbers to it. */
static bool numbers_agree(const local_record *local, const sft_zip_entry *entry) {
    bool later = (local->flags & SFT_ZIP_FLAG_DESCRIPTOR) != 0;
    return (local->crc == entry->crc || (later && local->crc == 0)) &&
           (local->size == entry->size || (later && local->size == 0)) &&
           (local->packed == entry->packed || (later && local->packed == 0));
}

static void tell_of_flags(const local_reader *from, sft_zip_entry *entry, uint16_t local) {
    /* Encrypted; strongly encrypted; a directory with masked values. */
    const unsigned encrypted = 0x0001 | 0x0040 | 0x2000;
    unsigned any = (unsigned)entry->flags | local;
    /* How hard the packer tried, which Info-ZIP also says of what it then stored. */
    const unsigned effort = 0x0006;
    unsigned fine = SFT_ZIP_FLAG_UTF8 | SFT_ZIP_FLAG_DESCRIPTOR;
    if (entry->method == SFT_ZIP_DEFLATE || entry->method == SFT_ZIP_STORED) {
        fine |= effort;
    }
    if ((any & encrypted) != 0) {
        entry->encrypted = true;
        tell(from, "ZIP_ENCRYPTED", entry, "the file is said to be encrypted");
    }
    if ((any & ~(fine | encrypted)) != 0) {
        tell(from, "ZIP_FLAGS", entry, "the file has flags that say how to read it otherwise");
    }
    if (entry->flags != local) {
        tell(from, "ZIP_FLAGS", entry,
             "the file's flags are others in the directory than in its record");
    }
}

static sft_status compare_names(const local_reader *from, sft_zip_entry *entry,
                                const local_record *local, sft_error *error) {
    if (local->name_length == entry->name_length &&
        (local->name_length == 0 || memcmp(local->name, entry->name, entry->name_length) == 0)) {
        return SFT_OK;
    }
    entry->local = sft_arena_copy(&from->reader->zip->arena, local->name, local->name_length);
    entry->local_length = local->name_length;
    if (entry->local == NULL) {
        return sft_fail_memory(error);
    }
    tell(from, "ZIP_NAME_MISMATCH", entry,
         "the file has another name in the directory than in its record");
    return SFT_OK;
}

static sft_status compare(const local_reader *from, sft_zip_entry *entry, const local_record *local,
                          sft_error *error) {
    tell_of_flags(from, entry, local->flags);
    if (local->method != entry->method) {
        tell(from, "ZIP_RECORDS", entry,
             "the directory and the file's record name different methods of packing");
    }
    if (!local->wide_enough || !local->extra.sound || local->extra.zip64_twice) {
        tell(from, "ZIP_RECORDS", entry, "the extra field of the file's record is damaged");
    } else if (!numbers_agree(local, entry)) {
        tell(from, "ZIP_RECORDS", entry,
             "the directory and the file's record give different sizes or checksums");
    }
    return compare_names(from, entry, local, error);
}

/* What follows from the numbers of the directory alone. */
static void judge(const local_reader *from, sft_zip_entry *entry) {
    bool stored = entry->method == SFT_ZIP_STORED;
    entry->known = stored || entry->method == SFT_ZIP_DEFLATE;
    if (!entry->known) {
        sft_zip_tell(from->reader, SFT_SEVERITY_MALFORMED, "UNSUPPORTED", entry, entry->record,
                     "the file is packed by a method that is not supported");
    } else if (stored && !entry->encrypted && entry->packed != entry->size) {
        tell(from, "ZIP_RECORDS", entry, "the file is stored, with two different sizes");
    } else if (!stored && entry->size / 1032 > entry->packed) {
        /* A length of 258 bytes takes two bits at least: a bit each for it and its distance. */
        tell(from, "ZIP_RECORDS", entry,
             "the file is said to unpack to more bytes than its packed ones can hold");
    }
    entry->readable = entry->known && !entry->encrypted;
    entry->folder = entry->size == 0 && entry->packed == 0 && entry->name_length > 0 &&
                    entry->name[entry->name_length - 1] == '/';
}

/* 4.3.9: a descriptor of any of its four forms, whose numbers are those of the directory. */
static bool is_descriptor(const unsigned char *bytes, uint64_t size, const sft_zip_entry *entry) {
    if (size == 16 || size == 24) {
        if (memcmp(bytes, "PK\7\10", 4) != 0) {
            return false;
        }
        bytes += 4;
        size -= 4;
    }
    if (size == 12) {
        return sft_zip_32(bytes) == entry->crc && sft_zip_32(bytes + 4) == entry->packed &&
               sft_zip_32(bytes + 8) == entry->size;
    }
    return size == 20 && sft_zip_32(bytes) == entry->crc &&
           sft_zip_64(bytes + 4) == entry->packed && sft_zip_64(bytes + 12) == entry->size;
}

static sft_status check_gap(const local_reader *from, const sft_zip_entry *entry, uint64_t end,
                            sft_error *error) {
    uint64_t gap = from->limit - end;
    bool descriptor = (entry->flags & SFT_ZIP_FLAG_DESCRIPTOR) != 0;
    if (descriptor && gap <= LONGEST_DESCRIPTOR) {
        const unsigned char *bytes;
        sft_status status = look_at(from->in, end, gap, from->ahead, &bytes, error);
        if (status != SFT_OK) {
            return status;
        }
        if (!is_descriptor(bytes, gap, entry)) {
            sft_zip_tell(from->reader, SFT_SEVERITY_UNKNOWN, "ZIP_RECORDS", entry, end,
                         "what stands behind the file's bytes does not describe them");
        }
        return SFT_OK;
    }
    if (gap > 0) {
        sft_zip_tell(from->reader, SFT_SEVERITY_UNKNOWN, "ZIP_RECORDS", entry, end,
                     "bytes stand behind the file which the directory does not list");
    }
    return SFT_OK;
}

static sft_status overlap(const local_reader *from, const sft_zip_entry *entry, sft_error *error) {
    sft_zip_tell(from->reader, SFT_SEVERITY_MALFORMED, "ZIP_OVERLAP", entry, entry->record,
                 "the file's bytes are another's too");
    sft_shown name = sft_show(entry->name, entry->name_length);
    return sft_fail(error, SFT_MALFORMED_SOURCE, entry->record,
                    "the bytes of the file \"%s\" reach into what follows them", name.text);
}

/* Readers give up on such a file; its bytes may be looked at nevertheless. */
static sft_status without_record(const local_reader *from, sft_zip_entry *entry, sft_error *error) {
    entry->data = entry->record;
    if (entry->packed > from->limit - entry->record) {
        return overlap(from, entry, error);
    }
    sft_zip_tell(from->reader, SFT_SEVERITY_MALFORMED, "ZIP_RECORDS", entry, entry->record,
                 "no record stands where the directory says the file's is");
    return SFT_OK;
}

static sft_status read_local(const local_reader *from, sft_zip_entry *entry, sft_error *error) {
    const unsigned char *bytes;
    uint64_t room = from->limit - entry->record;
    if (room < SFT_ZIP_LOCAL_SIZE) {
        return overlap(from, entry, error);
    }
    /* Most records have a name as in the directory, and little else. */
    uint64_t ahead = entry->name_length + 128 + from->ahead;
    sft_status status = look_at(from->in, entry->record, SFT_ZIP_LOCAL_SIZE, ahead, &bytes, error);
    if (status != SFT_OK) {
        return status;
    }
    if (memcmp(bytes, "PK\3\4", 4) != 0) {
        return without_record(from, entry, error);
    }
    uint64_t size = SFT_ZIP_LOCAL_SIZE + (uint64_t)sft_zip_16(bytes + 26) + sft_zip_16(bytes + 28);
    if (size > room || entry->packed > room - size) {
        return overlap(from, entry, error);
    }
    status = look_at(from->in, entry->record, size, from->ahead, &bytes, error);
    if (status != SFT_OK) {
        return status;
    }
    entry->data = entry->record + size;
    local_record local = parse_local(bytes);
    status = compare(from, entry, &local, error);
    if (status != SFT_OK) {
        return status;
    }
    judge(from, entry);
    return check_gap(from, entry, entry->data + entry->packed, error);
}

static bool stands_after(const void *things, uint32_t a, uint32_t b) {
    const uint64_t *records = things;
    return records[a] > records[b];
}

static bool in_order(const sft_zip *zip) {
    for (uint64_t i = 1; i < zip->count; i++) {
        if (zip->entries[i - 1].record > zip->entries[i].record) {
            return false;
        }
    }
    return true;
}

/* The entries in the order of their records. Sorted by an array of nothing else: comparing in the
 * entries themselves costs twice the time. NULL where there is no memory. */
static uint32_t *sort_records(const sft_zip *zip, uint32_t count) {
    const sft_allocator *allocator = &zip->arena.allocator;
    uint64_t size = (uint64_t)count * sizeof(uint64_t);
    uint64_t *records = sft_allocate(allocator, size);
    if (records == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        records[i] = zip->entries[i].record;
    }
    uint32_t *order = sft_sort(records, count, stands_after, allocator);
    sft_release(allocator, records, size);
    return order;
}

/* The records in the order of the file: `order`, or that of the directory where it is NULL. */
static sft_status read_in_order(sft_zip_reader *reader, const uint32_t *order, window *in,
                                sft_error *error) {
    const sft_zip *zip = reader->zip;
    local_reader from = {.reader = reader, .in = in};
    sft_status status = SFT_OK;
    for (uint64_t i = 0; i < zip->count && status == SFT_OK; i++) {
        sft_zip_entry *entry = &zip->entries[order != NULL ? order[i] : i];
        bool last = i + 1 == zip->count;
        from.limit =
            last ? reader->directory : zip->entries[order != NULL ? order[i + 1] : i + 1].record;
        from.ahead = !last && from.limit - entry->record <= CLOSE ? CLOSE : 256;
        status = read_local(&from, entry, error);
    }
    return status;
}

static void tell_of_prefix(const sft_zip_reader *reader, const uint32_t *order) {
    const sft_zip *zip = reader->zip;
    uint64_t first = zip->count == 0 ? reader->directory
                     : order != NULL ? zip->entries[order[0]].record
                                     : zip->entries[0].record;
    if (first > 0) {
        sft_zip_tell(reader, SFT_SEVERITY_UNKNOWN, "ZIP_PREFIX", NULL, 0,
                     "bytes stand before the first file of the archive");
    }
}

sft_status sft_zip_read_locals(sft_zip_reader *reader, sft_error *error) {
    sft_zip *zip = reader->zip;
    const sft_allocator *allocator = &zip->arena.allocator;
    uint32_t *order = NULL;
    /* No directory has 2^32 records of 46 bytes within the limits of memory. */
    uint32_t count = (uint32_t)zip->count;
    if (!in_order(zip)) {
        order = sort_records(zip, count);
        if (order == NULL) {
            return sft_fail_memory(error);
        }
    }
    tell_of_prefix(reader, order);
    window *in = sft_allocate(allocator, sizeof *in);
    sft_status status = SFT_NO_MEMORY;
    if (in == NULL) {
        sft_fail_memory(error);
    } else {
        in->region = &zip->region;
        in->start = in->size = 0;
        status = read_in_order(reader, order, in, error);
    }
    sft_release(allocator, in, sizeof *in);
    sft_release(allocator, order, (uint64_t)count * sizeof *order);
    return status;
}
