"""List the words that the tiny model knows: colours, scenes with their colours, and sounds with their tones."""

from collections.abc import Sequence

Colour = tuple[int, int, int]  # RGB in 0 .. 255

COLOURS: dict[str, Colour] = {
    "red reddish crimson scarlet ruby cherry vermilion carmine": (215, 25, 30),
    "blue bluish azure sapphire cobalt ultramarine": (30, 70, 220),
    "navy indigo": (20, 25, 110),
    "maroon burgundy": (110, 15, 35),
    "green greenish emerald jade": (25, 160, 50),
    "lime chartreuse": (140, 220, 30),
    "olive khaki": (110, 115, 30),
    "yellow yellowish lemon": (245, 215, 30),
    "gold golden amber mustard": (225, 165, 30),
    "orange oranges tangerine": (245, 130, 20),
    "coral salmon": (250, 120, 100),
    "peach apricot": (250, 190, 140),
    "purple violet plum": (130, 35, 180),
    "lilac lavender mauve": (185, 145, 215),
    "pink rose": (245, 140, 185),
    "magenta fuchsia": (225, 30, 170),
    "white ivory pearl": (240, 240, 238),
    "black ebony charcoal": (12, 12, 14),
    "brown chestnut chocolate bronze copper rusty": (115, 70, 30),
    "beige cream tan": (220, 200, 165),
    "grey gray silver": (128, 128, 130),
    "cyan aqua": (25, 205, 220),
    "turquoise teal mint": (20, 160, 155),
}

# Three colours from the most to the least of it, and the tone that it sounds like.
SCENES: dict[str, tuple[Colour, Colour, Colour, int]] = {
    "ocean oceans sea seas seaside waves wave beach coast shore underwater reef lake river waterfall harbour harbor": (
        (15, 85, 150), (40, 150, 190), (170, 215, 230), 300),
    "forest forests woods woodland trees tree pines jungle rainforest bamboo": (
        (25, 75, 30), (60, 120, 45), (70, 50, 30), 500),
    "sunset sunrise sundown dusk dawn twilight evening": ((225, 110, 45), (130, 50, 110), (250, 200, 110), 400),
    "night nights nightfall nighttime midnight stars starry moon moonlit moonlight": (
        (12, 14, 40), (25, 30, 80), (150, 150, 170), 200),
    "snow snowy snowflakes winter snowfall frost frozen ice icy iceberg glacier arctic tundra blizzard": (
        (225, 232, 242), (245, 248, 252), (150, 175, 205), 1200),
    "desert deserts sand sands sandy dunes dune sahara canyon": ((215, 165, 95), (190, 130, 70), (140, 185, 225), 600),
    "city cities street streets downtown skyline skyscrapers buildings urban town traffic": (
        (110, 112, 120), (65, 68, 78), (205, 180, 120), 900),
    "fire fires fireplace flames flame burning embers campfire bonfire wildfire inferno lava volcano candle candles": (
        (225, 85, 15), (120, 20, 10), (255, 205, 70), 100),
    "mountain mountains alps peak peaks cliff cliffs hills valley": (
        (115, 120, 135), (70, 100, 70), (220, 230, 240), 700),
    "meadow meadows grass field fields lawn prairie countryside farm park garden": (
        (95, 165, 55), (60, 120, 40), (165, 205, 235), 800),
    "clouds cloud cloudy sky day daytime daylight noon morning sunny sunlight sunshine": (
        (130, 185, 235), (235, 240, 245), (95, 150, 220), 1000),
    "rain raining rainy storm stormy thunderstorm fog foggy mist misty": (
        (95, 105, 118), (60, 68, 80), (150, 160, 170), 2400),
    "autumn autumnal fall": ((190, 95, 30), (140, 50, 25), (220, 165, 50), 500),
    "space galaxy nebula cosmos universe planet": ((10, 8, 28), (80, 30, 110), (30, 60, 130), 100),
}  # fmt: skip

SOUNDS: dict[str, int] = {
    "hum humming drone rumble rumbling thunder bass engine engines motor": 100,
    "cello growl roar horn foghorn": 200,
    "piano guitar music": 400,
    "violin voice voices singing song": 600,
    "flute bell bells chime": 800,
    "siren alarm": 900,
    "beep beeping beeps": 1000,
    "phone ringing ring": 1400,
    "whistle whistling": 2000,
    "bird birds birdsong chirping chirp tweet": 3000,
    "cricket crickets insects": 4000,
    "hiss hissing squeak": 6000,
}

# Prompts that name nothing of this.
DEFAULT_TONE_HZ = 400
DEFAULT_COLOURS: Sequence[Colour] = (
    (45, 90, 140), (200, 120, 70), (80, 140, 120), (150, 90, 140), (215, 190, 140), (60, 60, 100), (120, 160, 190),
    (185, 85, 85),
)  # fmt: skip
