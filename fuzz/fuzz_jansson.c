/* A header, read by the library and by jansson: they must agree on what is JSON and what it says.
 */
#include <sft.h>

#include "check_jansson.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t bytes;
    uint64_t file_size;
    unsigned char *file = fuzz_header_file(data, size, &bytes, &file_size);
    if (file == NULL) {
        return 0;
    }
    sft_header *header = NULL;
    sft_status status = sft_header_parse(file, bytes, file_size, NULL, &header, NULL);
    fuzz_expect(check_jansson((const char *)file + 8, bytes - 8, status, header));
    sft_header_free(header);
    free(file);
    return 0;
}
