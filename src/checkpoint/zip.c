#include "checkpoint/zip.h"

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "checkpoint/zip_parts.h"

void sft_zip_tell(const sft_zip_reader *reader, sft_severity severity, const char *code,
                  const sft_zip_entry *entry, uint64_t byte, const char *detail) {
    if (reader->options->odd != NULL) {
        const sft_zip_oddity oddity = {severity, code, detail, entry, byte};
        reader->options->odd(reader->options->context, &oddity);
    }
}

sft_status sft_zip_open(sft_zip *zip, const sft_region *region, const sft_zip_options *options,
                        sft_error *error) {
    sft_allocator allocator = sft_allocator_of(options->allocator);
    *zip = (sft_zip){.region = *region};
    sft_arena_init(&zip->arena, &allocator);
    sft_zip_reader reader = {.zip = zip, .options = options};
    sft_status status = sft_zip_read_end(&reader, error);
    if (status == SFT_OK) {
        status = sft_zip_read_directory(&reader, error);
    }
    if (status == SFT_OK) {
        status = sft_zip_read_locals(&reader, error);
    }
    if (status == SFT_OK) {
        status = sft_zip_read_names(&reader, error);
    }
    return status;
}

void sft_zip_free(sft_zip *zip) {
    sft_arena_free(&zip->arena);
    zip->entries = NULL;
    zip->count = 0;
    zip->slots = NULL;
    zip->capacity = 0;
}

/* Without memory for its own label, a region has the archive's: it can still be looked at. */
static void set_label(const sft_zip *zip, const sft_zip_entry *entry, sft_sources *sources,
                      sft_region *region) {
    const char *label =
        sft_sources_label(sources, zip->region.label, entry->name, entry->name_length);
    region->label = label != NULL ? label : zip->region.label;
}

static sft_status region_of(const sft_zip *zip, const sft_zip_entry *entry, uint64_t size,
                            bool exact, sft_sources *sources, sft_region *region,
                            sft_error *error) {
    sft_region packed;
    if (!entry->known || !sft_region_part(&zip->region, entry->data, entry->packed, &packed)) {
        sft_shown name = sft_show(entry->name, entry->name_length);
        return sft_fail(error, SFT_UNSUPPORTED_SOURCE, entry->record,
                        "the file \"%s\" in the archive cannot be unpacked", name.text);
    }
    set_label(zip, entry, sources, &packed);
    if (entry->method == SFT_ZIP_STORED) {
        *region = packed;
        region->size = sft_min(packed.size, size);
        return SFT_OK;
    }
    return exact ? sft_sources_inflate(sources, &packed, SFT_PACKED_DEFLATE, size, region, error)
                 : sft_sources_inflate_part(sources, &packed, SFT_PACKED_DEFLATE, size, region,
                                            error);
}

sft_status sft_zip_region(const sft_zip *zip, const sft_zip_entry *entry, sft_sources *sources,
                          sft_region *region, sft_error *error) {
    return region_of(zip, entry, entry->size, true, sources, region, error);
}

sft_status sft_zip_region_part(const sft_zip *zip, const sft_zip_entry *entry, uint64_t size,
                               sft_sources *sources, sft_region *region, sft_error *error) {
    return region_of(zip, entry, size, false, sources, region, error);
}

bool sft_zip_raw(const sft_zip *zip, const sft_zip_entry *entry, sft_sources *sources,
                 sft_region *region) {
    bool inside = sft_region_part(&zip->region, entry->data, entry->packed, region);
    if (inside) {
        set_label(zip, entry, sources, region);
    }
    return inside;
}
