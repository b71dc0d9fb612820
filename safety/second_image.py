"""Makes the limit image of channel B from the part that its inputs can judge, and its file."""

from array import array

from safety import frame as f, matrix as m, parameters as p, signals as s

# Channel B has inputs for these features of the cabinet, and judges their stages.
OWN_FEATURES = (
    "estop_1_ok",
    "estop_2_ok",
    "estop_discrepancy",
    "fire_alarm_ok",
    "suppression_ok",
    "gas_relay_ok",
    "bms_fault_ok",
    "cell_voltage_ok",
    "image_changed",
    "step_late_ms",
    "boot_not_clean",
    "boot_store_unreadable",
)
# Compared with channel A, but not judged by channel B: only channel A drives the fan and knows
# whether it runs.
CONTACT_OF_FEATURE = {"airflow_missing": "airflow_ok"}
# Parameters of equipment that only channel A reads. They are 0 in the image of channel B.
OF_A_ONLY = (
    "gas_required",
    "gas_detectors",
    "door_fitted",
    "meter_load_fitted",
    "offgas_detectors",
    "toxic_fitted",
    "smoke_zones",
    "heat_fitted",
    "io_3_fitted",
    "climate_fitted",
    "ups_fitted",
    "supervised_fitted",
    "key_service_fitted",
    "close_command_fitted",
)
IMAGE_FILE_MAGIC = 0x31424D49  # "IMB1", low byte first


def file_bytes(image: "array[int]") -> bytes:
    """A limit image as a file for channel B.

    It holds magic, number of words, the words, CRC-30: four bytes each, low byte first.
    """
    file_words = [IMAGE_FILE_MAGIC, len(image)] + list(image) + [p.image_crc(image)]
    data = bytearray()
    for word in file_words:
        for shift in (0, 8, 16, 24):
            data.append(word >> shift & 255)
    return bytes(data)


def read_file(data: bytes) -> "array[int]":
    """The limit image in a file. Raises ValueError, in one line, if the file holds none."""
    if len(data) < 12 or _word(data, 0) != IMAGE_FILE_MAGIC:
        raise ValueError("is no limit image for channel B")
    count = _word(data, 4)
    if len(data) != 4 * (count + 3):
        raise ValueError(
            "limit image is cut short or too long: %d bytes for %d words" % (len(data), count)
        )
    image = array("i", [_word(data, 8 + 4 * index) for index in range(count)])
    if p.image_crc(image) != _word(data, 8 + 4 * count):
        raise ValueError("CRC of the limit image is wrong")
    return image


def _word(data: bytes | bytearray, offset: int) -> int:
    """A signed word of 31 bits: the range of a word of the image.

    It is a small int on a microcontroller.
    """
    high = data[offset + 3] & 0x7F
    if high & 0x40:
        high -= 0x80
    return data[offset] | data[offset + 1] << 8 | data[offset + 2] << 16 | high << 24


def image_map_of(image: "array[int]") -> p.ImageMap:
    """ImageMap for the topology in the header of an image."""
    return p.ImageMap(image[p.H_UNITS], image[p.H_RACKS], m.STAGES_PER_SCOPE)


def own_image(image: "array[int]") -> "array[int]":
    """The limit image that channel B runs on.

    It is the image of channel A without units and racks, armed where channel B has inputs.
    """
    image_map = image_map_of(image)
    own = array("i", image[: len(p.HEADER)])
    own[p.H_UNITS] = own[p.H_RACKS] = own[p.H_MODULES] = 0
    for index, row in enumerate(p.CABINET_PARAMETERS):
        own.append(0 if row[0] in OF_A_ONLY else image[image_map.cabinet + index])
    own.extend(image[image_map.stage : image_map.armed])
    instance = image_map.armed
    for stage in m.STAGES:
        if stage[m.S_SCOPE] == s.CABINET:
            is_own = m.CABINET_FEATURES[stage[m.S_FEATURE]] in OWN_FEATURES
            own.append(image[instance] if is_own else 0)
            instance += 1
    return own


def contact_masks(image: "array[int]") -> tuple[int, int]:
    """(shared contacts that are fitted, contacts that a first permit needs closed), as bits.

    image: of channel A.
    """
    fitted = opening = 0
    instance = image_map_of(image).armed
    for stage in m.STAGES:
        if stage[m.S_SCOPE] != s.CABINET:
            continue
        name = m.CABINET_FEATURES[stage[m.S_FEATURE]]
        contact = CONTACT_OF_FEATURE.get(name, name)
        if image[instance] and contact in f.SHARED_NAMES:
            bit = 1 << f.SHARED_NAMES.index(contact)
            fitted |= bit
            if contact == name:
                opening |= bit
        instance += 1
    return fitted, opening
