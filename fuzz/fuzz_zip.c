/*
 * Containers: the input is detected, and read as a zip archive, as a tar archive, as compressed
 * bytes and as text that stands for bytes, whatever it looks like. All that is found is read.
 */
#include "target.h"

#include "base/memory.h"
#include "checkpoint/detect.h"
#include "checkpoint/tar.h"
#include "checkpoint/zip.h"

/* What is unpacked at most of one compressed piece. */
#define LIMIT 300000

/* Reads a region from front to back, in pieces whose sizes vary. Returns how much could be read. */
static uint64_t read_all(const sft_region *region) {
    static unsigned char piece[70000];
    static const uint64_t sizes[] = {1, 70000, 13, 4096, 65536};
    uint64_t at = 0;
    for (unsigned i = 0; at < region->size && at < LIMIT; i++) {
        uint64_t size = sizes[i % 5] < region->size - at ? sizes[i % 5] : region->size - at;
        if (sft_region_read(region, at, piece, size, NULL) != SFT_OK) {
            break;
        }
        at += size;
    }
    return at;
}

/* Reads the byte in the middle and the one at the front: steps back. */
static void step_back(const sft_region *region) {
    unsigned char first;
    unsigned char middle;
    unsigned char again;
    if (region->size > 0 && region->size <= LIMIT &&
        sft_region_read(region, 0, &first, 1, NULL) == SFT_OK &&
        sft_region_read(region, region->size / 2, &middle, 1, NULL) == SFT_OK) {
        fuzz_require(sft_region_read(region, 0, &again, 1, NULL) == SFT_OK && again == first,
                     "the first byte reads otherwise after a step back");
        fuzz_require(sft_region_read(region, region->size / 2, &again, 1, NULL) == SFT_OK &&
                         again == middle,
                     "the middle byte reads otherwise after a step back");
    }
}

static void look_at(const sft_region *region) {
    sft_format format;
    if (sft_detect(region, &format, NULL) == SFT_OK) {
        fuzz_require(sft_format_name(format) != NULL, "a format without a name");
    }
    read_all(region);
    step_back(region);
}

static void odd(void *context, const sft_zip_oddity *oddity) {
    const sft_region *region = context;
    fuzz_require(oddity->byte <= region->size, "an oddity outside of the archive");
    fuzz_require(oddity->detail[0] != '\0' && oddity->code[0] != '\0', "an oddity without words");
}

static void check_content(const sft_zip *zip, const sft_zip_entry *entry, sft_sources *sources) {
    sft_zip_check_options options = {.limit = LIMIT};
    sft_zip_content content;
    sft_region region;
    if (sft_zip_check(zip, entry, &options, &content, NULL) != SFT_OK) {
        return;
    }
    fuzz_require(content.size <= LIMIT, "more was unpacked than allowed");
    if (sft_zip_region_part(zip, entry, content.size, sources, &region, NULL) == SFT_OK) {
        fuzz_require(region.size == content.size && read_all(&region) == content.size,
                     "what an entry was found to hold cannot be read");
        look_at(&region);
    }
    if (entry->method == 8 && entry->size > 0 && entry->size <= LIMIT &&
        sft_zip_region(zip, entry, sources, &region, NULL) == SFT_OK &&
        read_all(&region) == entry->size) {
        fuzz_require(content.size == entry->size && !content.limited,
                     "an entry that is not as it says was read to its end");
    }
}

static void read_zip(const sft_region *input) {
    sft_zip zip;
    sft_zip_options options = {.entries = 1000, .memory = 1 << 20, .odd = odd};
    options.context = (void *)(uintptr_t)input;
    sft_status status = sft_zip_open(&zip, input, &options, NULL);
    fuzz_require(status != SFT_OK || sft_zip_has_end(input), "an archive without an end");
    uint64_t end = 0;
    for (uint64_t i = 0; i < zip.count && status == SFT_OK; i++) {
        sft_sources sources;
        sft_sources_init(&sources, NULL);
        const sft_zip_entry *entry = &zip.entries[i];
        sft_region raw;
        fuzz_require(sft_zip_raw(&zip, entry, &sources, &raw), "an entry outside of the archive");
        end += raw.size;
        look_at(&raw);
        check_content(&zip, entry, &sources);
        sft_sources_free(&sources);
    }
    fuzz_require(end <= input->size, "entries overlap");
    const char *root;
    size_t length;
    sft_zip_root(&zip, &root, &length);
    if (status == SFT_OK && zip.count > 0) {
        size_t front = length > 0 ? length + 1 : 0;
        const sft_zip_entry *first = &zip.entries[0];
        const sft_zip_entry *found =
            sft_zip_find(&zip, first->name + front, first->name_length - front);
        fuzz_require(found == first, "the first file is not found by its name");
    }
    sft_zip_free(&zip);
}

static void read_tar(const sft_region *input) {
    sft_sources sources;
    sft_sources_init(&sources, NULL);
    uint64_t position = 0;
    bool found = true;
    while (found) {
        sft_tar_member member;
        uint64_t before = position;
        if (sft_tar_next(input, &position, &sources, &member, &found, NULL) != SFT_OK) {
            break;
        }
        if (found) {
            fuzz_require(position > before, "a tar member takes no room");
            look_at(&member.region);
        }
    }
    sft_region member;
    (void)sft_tar_find(input, "pickle", &sources, &member, NULL);
    sft_sources_free(&sources);
}

static void unpack(const sft_region *input, sft_packing packing) {
    uint64_t size;
    uint64_t used;
    sft_status status = sft_inflated_size(input, packing, LIMIT, NULL, &size, &used, NULL);
    fuzz_require(size <= LIMIT && used <= input->size, "more was unpacked than there is");
    sft_sources sources;
    sft_sources_init(&sources, NULL);
    sft_region region;
    if (sft_sources_inflate_part(&sources, input, packing, size, &region, NULL) == SFT_OK) {
        fuzz_require(read_all(&region) == size, "what was unpacked once cannot be read");
        step_back(&region);
    }
    if (sft_sources_inflate(&sources, input, packing, size, &region, NULL) == SFT_OK && size > 0) {
        fuzz_require((read_all(&region) == size) == (status == SFT_OK),
                     "what is damaged or too long was read to its end, or what is not was not");
    }
    sft_sources_free(&sources);
}

static void read_text(const sft_region *input) {
    uint64_t size;
    if (sft_text_characters(input, &size, NULL) != SFT_OK) {
        return;
    }
    fuzz_require(size <= input->size, "a text has more characters than bytes");
    sft_sources sources;
    sft_sources_init(&sources, NULL);
    sft_region bytes;
    if (sft_sources_latin1(&sources, input, size, &bytes, NULL) == SFT_OK) {
        read_all(&bytes);
        step_back(&bytes);
    }
    sft_sources_free(&sources);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sft_sources sources;
    sft_sources_init(&sources, NULL);
    sft_region input;
    if (sft_sources_memory(&sources, data, size, &input, NULL) == SFT_OK) {
        look_at(&input);
        read_zip(&input);
        read_tar(&input);
        unpack(&input, SFT_PACKED_DEFLATE);
        unpack(&input, SFT_PACKED_ZLIB);
        unpack(&input, SFT_PACKED_GZIP);
        read_text(&input);
    }
    sft_sources_free(&sources);
    return 0;
}
