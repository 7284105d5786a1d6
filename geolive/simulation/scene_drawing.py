"""Draws each of the object classes in a simulated street scene.

Every object is a plain figure of a few shapes. Sizes are not realistic: each object is large enough to be seen.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from PIL import ImageDraw

Colour = tuple[int, int, int]

CLOTHES = [(190, 40, 45), (40, 70, 160), (230, 180, 50), (235, 235, 230), (70, 35, 90), (30, 120, 110), (220, 110, 150)]
PAINTS = [(200, 200, 205), (235, 235, 235), (45, 45, 50), (150, 25, 30), (35, 60, 120), (120, 125, 130)]
FACADES = [(196, 164, 132), (170, 90, 70), (214, 200, 180), (150, 150, 155), (120, 160, 190), (225, 190, 120)]
SKIN, TYRE, GLASS, METAL, TIMBER = (120, 80, 55), (25, 25, 28), (60, 75, 90), (135, 138, 142), (98, 72, 48)


@dataclass(frozen=True)
class Spot:
    """Where an object is, its size, and the random numbers that shape it.

    Parameters
    ----------
    draw : ImageDraw
    x, y : float
        Middle of its foot, pixels from the upper left corner.
    size : float
        Height of a grown person there, in pixels.
    chance : random.Random
    """

    draw: ImageDraw.ImageDraw
    x: float
    y: float
    size: float
    chance: random.Random

    def colour(self, colours: list[Colour], spread: float = 18) -> Colour:
        """Pick one of the colours and alter it a little."""
        return self.near(self.chance.choice(colours), spread)

    def near(self, colour: Colour, spread: float = 12) -> Colour:
        """Make a colour a little lighter or darker."""
        by = self.chance.uniform(-spread, spread)
        red, green, blue = (max(0, min(255, round(part + by + self.chance.uniform(-4, 4)))) for part in colour)
        return red, green, blue

    def box(self, left: float, top: float, right: float, bottom: float, fill: Colour) -> None:
        """Draw a rectangle; distances are from the foot in units of `size`, positive upwards."""
        self.draw.rectangle(self._corners(left, top, right, bottom), fill=fill)

    def oval(self, left: float, top: float, right: float, bottom: float, fill: Colour) -> None:
        """Draw the ellipse within such a rectangle."""
        self.draw.ellipse(self._corners(left, top, right, bottom), fill=fill)

    def shape(self, points: list[tuple[float, float]], fill: Colour) -> None:
        """Draw a polygon of such distances."""
        self.draw.polygon([(self.x + x * self.size, self.y - y * self.size) for x, y in points], fill=fill)

    def line(self, x0: float, y0: float, x1: float, y1: float, fill: Colour, width: float = 0.05) -> None:
        """Draw a line between points at such distances."""
        ends = [self.x + x0 * self.size, self.y - y0 * self.size, self.x + x1 * self.size, self.y - y1 * self.size]
        self.draw.line(ends, fill=fill, width=max(1, round(width * self.size)))

    def _corners(self, left: float, top: float, right: float, bottom: float) -> list[float]:
        return [
            self.x + left * self.size,
            self.y - max(top, bottom) * self.size,
            self.x + right * self.size,
            self.y - min(top, bottom) * self.size,
        ]


def _darker(colour: Colour, numerator: int, denominator: int) -> Colour:
    """Multiply a colour by a fraction below 1."""
    red, green, blue = colour
    return red * numerator // denominator, green * numerator // denominator, blue * numerator // denominator


def _building(at: Spot) -> None:
    wide, high = at.chance.uniform(0.9, 1.8), at.chance.uniform(1.4, 3.6)
    wall = at.colour(FACADES)
    at.box(-wide, high, wide, 0, wall)
    at.box(-wide, high + 0.12, wide, high, at.near(_darker(wall, 1, 2)))
    floors, columns = max(1, round(high / 0.8)), max(2, round(wide * 2.2))
    for floor in range(floors):
        for column in range(columns):
            left, top = -wide + (column + 0.25) * 2 * wide / columns, (floor + 0.8) * high / floors
            at.box(left, top, left + wide / columns, top - 0.45 * high / floors, at.near((52, 58, 70)))


def _wall(at: Spot) -> None:
    wide, high = at.chance.uniform(1.2, 2.4), at.chance.uniform(0.5, 0.8)
    colour = at.colour([(178, 84, 58), (188, 170, 150)])
    at.box(-wide, high, wide, 0, colour)
    for row in (0.25, 0.5, 0.75):
        at.line(-wide, row * high, wide, row * high, _darker(colour, 3, 4), 0.02)


def _fence(at: Spot) -> None:
    wide, colour = at.chance.uniform(1.0, 2.0), at.colour([(238, 238, 232), (90, 110, 90)])
    for post in range(8):
        x = -wide + post * 2 * wide / 7
        at.line(x, 0, x, 0.62, colour, 0.05)
    for row in (0.2, 0.5):
        at.line(-wide, row, wide, row, colour, 0.05)


def _rail(at: Spot) -> None:
    wide = at.chance.uniform(1.0, 2.0)
    at.box(-wide, 0.45, wide, 0.25, at.near((175, 180, 184)))
    for x in (-wide, 0, wide):
        at.line(x, 0, x, 0.45, METAL)


def _barrier(at: Spot) -> None:
    for stripe in range(8):
        left = -1 + stripe / 4
        at.box(left, 0.55, left + 0.25, 0.25, (225, 225, 220) if stripe % 2 else (205, 40, 40))


def _bridge(at: Spot) -> None:
    at.box(-3.0, 2.3, 3.0, 1.9, at.near((150, 148, 144)))
    for x in (-2.4, 2.2):
        at.box(x, 2.0, x + 0.3, 0, at.near((130, 128, 124)))


def _tunnel(at: Spot) -> None:
    at.oval(-1.6, 2.4, 1.6, -0.4, at.near((120, 118, 114)))
    at.oval(-1.2, 2.0, 1.2, -0.4, (20, 20, 22))


def _vegetation(at: Spot) -> None:
    green = at.colour([(58, 112, 44), (82, 132, 52), (44, 92, 40)])
    high = at.chance.choice([0.35, 1.5, 1.9])  # a bush or a tree
    if high > 1:
        at.line(0, 0, 0, high, at.near(TIMBER), 0.14)
    for _ in range(5):
        x, y, half = at.chance.uniform(-0.5, 0.5), high + at.chance.uniform(-0.25, 0.5), at.chance.uniform(0.35, 0.6)
        at.oval(x - half, y + half, x + half, y - half, at.near(green, 20))


def _pole(at: Spot) -> None:
    at.line(0, 0, 0, at.chance.uniform(2.2, 3.0), at.near(METAL, 30), 0.09)


def _utility_pole(at: Spot) -> None:
    high, wood = at.chance.uniform(2.6, 3.3), at.near((88, 66, 48))
    at.line(0, 0, 0, high, wood, 0.13)
    for below in (0.15, 0.45):
        at.line(-0.55, high - below, 0.55, high - below, wood, 0.09)
    for x in (-0.5, 0.5):
        at.line(x, high, x + at.chance.choice([-9, 9]), high + 0.4, (35, 35, 38), 0.02)


def _street_light(at: Spot) -> None:
    side = at.chance.choice([-1, 1])
    at.line(0, 0, 0, 3.0, METAL, 0.08)
    at.line(0, 3.0, side * 0.7, 3.15, METAL, 0.07)
    left = min(side * 0.5, side * 0.95)
    at.oval(left, 3.25, left + 0.45, 3.0, (255, 244, 190))


def _traffic_light(at: Spot) -> None:
    at.line(0, 0, 0, 2.0, METAL, 0.08)
    at.box(-0.16, 2.6, 0.16, 1.9, (30, 32, 30))
    for row, colour in enumerate([(60, 220, 90), (245, 190, 40), (235, 50, 45)]):
        at.oval(-0.1, 2.13 + 0.22 * row, 0.1, 1.95 + 0.22 * row, colour)


def _sign_front(at: Spot) -> None:
    at.line(0, 0, 0, 1.6, METAL, 0.07)
    if at.chance.random() < 0.5:
        at.oval(-0.36, 2.2, 0.36, 1.5, (205, 30, 38))
        at.oval(-0.23, 2.07, 0.23, 1.63, (248, 248, 248))
    else:
        at.box(-0.45, 2.1, 0.45, 1.5, (20, 90, 180))
        at.line(-0.3, 1.8, 0.3, 1.8, (248, 248, 248), 0.09)


def _sign_back(at: Spot) -> None:
    at.line(0, 0, 0, 1.6, METAL, 0.07)
    at.oval(-0.36, 2.2, 0.36, 1.5, at.near((160, 164, 168)))


def _billboard(at: Spot) -> None:
    for x in (-0.6, 0.6):
        at.line(x, 0, x, 1.7, METAL, 0.09)
    at.box(-1.1, 2.9, 1.1, 1.6, (245, 245, 240))
    at.box(-1.0, 2.8, 1.0, 1.7, at.colour([(250, 205, 30), (230, 60, 130), (30, 150, 220), (60, 180, 90)]))
    at.oval(-0.8, 2.65, -0.1, 1.9, at.colour(CLOTHES))
    for y in (2.5, 2.25, 2.0):
        at.line(0.1, y, 0.85, y, (30, 30, 35), 0.07)


def _banner(at: Spot) -> None:
    wide, colours = at.chance.uniform(0.8, 1.4), [(235, 95, 20), (225, 25, 50), (20, 150, 70)]
    colour = at.colour(colours)
    at.shape([(-wide, 2.75), (wide, 2.9), (wide, 2.35), (-wide, 2.2)], colour)
    at.line(-wide * 0.7, 2.5, wide * 0.7, 2.62, (250, 245, 225), 0.1)


def _person(at: Spot) -> None:
    cloth = at.colour(CLOTHES)
    for x in (-0.09, 0.09):
        at.line(x, 0, x * 0.6, 0.48, at.near((45, 45, 60), 25), 0.12)
    at.box(-0.17, 0.84, 0.17, 0.42, cloth)
    at.oval(-0.11, 1.06, 0.11, 0.82, SKIN)


def _wheels(at: Spot, xs: tuple[float, ...], radius: float, rim: bool = False) -> None:
    for x in xs:
        at.oval(x - radius, 2 * radius, x + radius, 0, TYRE)
        if rim:
            at.oval(x - 0.72 * radius, 1.72 * radius, x + 0.72 * radius, 0.28 * radius, (150, 150, 146))


def _bicycle(at: Spot) -> None:
    _wheels(at, (-0.36, 0.36), 0.27, rim=True)
    colour = at.colour(CLOTHES)
    for ends in [(-0.36, 0.27, 0.1, 0.3), (0.1, 0.3, 0.3, 0.62), (-0.15, 0.6, 0.3, 0.6), (-0.15, 0.6, 0.1, 0.3)]:
        at.line(*ends, colour, 0.06)


def _motorcycle(at: Spot) -> None:
    _wheels(at, (-0.42, 0.42), 0.22)
    at.shape([(-0.55, 0.5), (0.2, 0.55), (0.4, 0.72), (0.45, 0.3), (-0.2, 0.25)], at.colour(PAINTS + CLOTHES[:2]))
    at.line(0.42, 0.22, 0.3, 0.8, METAL, 0.06)


def _rider(at: Spot, mount: Callable[[Spot], None]) -> None:
    mount(at)
    at.box(-0.22, 1.1, 0.1, 0.58, at.colour(CLOTHES))
    at.line(0, 0.95, 0.3, 0.72, SKIN, 0.08)
    at.oval(-0.15, 1.35, 0.1, 1.08, SKIN)


def _bicyclist(at: Spot) -> None:
    _rider(at, _bicycle)


def _motorcyclist(at: Spot) -> None:
    _rider(at, _motorcycle)
    at.oval(-0.17, 1.38, 0.12, 1.16, at.colour([(30, 30, 34), (200, 30, 36), (235, 235, 235)]))


def _animal(at: Spot) -> None:
    coat = at.colour([(196, 170, 130), (90, 62, 44), (60, 56, 54), (222, 212, 196)])
    for x in (-0.36, -0.24, 0.2, 0.32):
        at.line(x, 0, x, 0.4, coat, 0.08)
    at.oval(-0.5, 0.78, 0.45, 0.34, coat)
    at.oval(0.36, 0.98, 0.68, 0.68, coat)


def _bird(at: Spot) -> None:
    for side in (-1, 1):
        at.line(0, 2.6, side * 0.25, 2.75, (40, 40, 44), 0.06)


def _car(at: Spot) -> None:
    paint = at.colour(PAINTS)
    at.shape([(-0.6, 0.5), (-0.4, 0.88), (0.35, 0.88), (0.62, 0.5)], paint)
    at.shape([(-0.46, 0.54), (-0.33, 0.8), (0.3, 0.8), (0.48, 0.54)], GLASS)
    at.box(-1.0, 0.55, 1.0, 0.18, paint)
    _wheels(at, (-0.6, 0.6), 0.19)


def _three_wheeler(at: Spot) -> None:
    at.box(-0.6, 0.62, 0.62, 0.2, at.near((30, 120, 60)))
    at.shape([(-0.6, 0.62), (-0.55, 1.15), (0.3, 1.15), (0.6, 0.62)], at.near((245, 205, 40)))
    at.box(-0.25, 1.0, 0.25, 0.66, GLASS)
    _wheels(at, (-0.4, 0.45), 0.16)


def _truck(at: Spot) -> None:
    at.box(-1.3, 1.5, 0.55, 0.35, at.colour([(205, 90, 30), (150, 110, 70), (60, 100, 140)]))
    at.box(0.6, 1.3, 1.3, 0.3, at.colour([(235, 150, 40), (225, 215, 190)]))
    at.box(0.75, 1.2, 1.25, 0.8, GLASS)
    _wheels(at, (-0.9, -0.4, 0.9), 0.24)


def _bus(at: Spot) -> None:
    at.box(-1.7, 1.6, 1.7, 0.3, at.colour([(190, 35, 40), (40, 90, 170), (240, 240, 235)]))
    for window in range(6):
        at.box(-1.6 + 0.54 * window, 1.45, -1.2 + 0.54 * window, 0.95, GLASS)
    _wheels(at, (-1.1, 1.1), 0.25)


def _trailer(at: Spot) -> None:
    at.box(-1.0, 0.75, 1.0, 0.35, at.near((110, 90, 70)))
    _wheels(at, (-0.2, 0.3), 0.2)


def _caravan(at: Spot) -> None:
    at.box(-0.9, 1.25, 0.9, 0.25, at.near((240, 238, 230)))
    at.box(-0.6, 1.05, 0.1, 0.7, GLASS)
    _wheels(at, (0.0,), 0.2)


def _cart(at: Spot) -> None:
    at.box(-0.7, 0.6, 0.7, 0.45, at.near((150, 110, 60)))
    at.oval(-0.55, 0.95, 0.5, 0.5, at.colour([(225, 130, 40), (120, 150, 60), (200, 40, 50)]))
    _wheels(at, (-0.45, 0.45), 0.2, rim=True)


def _boat(at: Spot) -> None:
    at.shape([(-1.0, 0.4), (1.0, 0.4), (0.7, 0.05), (-0.7, 0.05)], at.near((110, 70, 40)))


def _train(at: Spot) -> None:
    at.box(-2.2, 1.7, 2.2, 0.3, at.near((50, 80, 150)))
    for window in range(7):
        at.box(-2.05 + 0.6 * window, 1.45, -1.7 + 0.6 * window, 1.05, (225, 225, 200))


def _furniture(colour: Colour, half: float, high: float) -> Callable[[Spot], None]:
    """Draw a box on the pavement: bins, cabinets, booths."""

    def drawn(at: Spot) -> None:
        at.box(-half, high, half, 0, at.near(colour))
        at.box(-1.1 * half, high, 1.1 * half, 0.86 * high, at.near(_darker(colour, 2, 3)))

    return drawn


def _bench(at: Spot) -> None:
    for row in (0.28, 0.55):
        at.line(-0.5, row, 0.5, row, at.near(TIMBER), 0.12)
    for x in (-0.4, 0.4):
        at.line(x, 0, x, 0.3, METAL, 0.07)


def _bike_rack(at: Spot) -> None:
    for x in (-0.4, -0.1, 0.2):
        at.oval(x, 0.5, x + 0.25, 0, METAL)


def _camera(at: Spot) -> None:
    at.line(0, 0, 0, 2.2, METAL, 0.07)
    at.box(-0.3, 2.35, 0.1, 2.15, (240, 240, 240))


def _sign_frame(at: Spot) -> None:
    for x in (-1.2, 1.2):
        at.line(x, 0, x, 2.9, METAL, 0.09)
    at.line(-1.2, 2.9, 1.2, 2.9, METAL, 0.12)


def _flat(colours: list[Colour], half: float, high: float) -> Callable[[Spot], None]:
    """Draw a patch that lies on the ground."""

    def drawn(at: Spot) -> None:
        wide = half * at.chance.uniform(0.7, 1.3)
        at.oval(-wide, high, wide, -high, at.colour(colours))

    return drawn


def _stripes(number: int, across: bool) -> Callable[[Spot], None]:
    """Draw white paint on the road: a dash, or a crossing."""

    def drawn(at: Spot) -> None:
        white = at.near((242, 242, 236), 8)
        for stripe in range(number):
            left = (stripe - number / 2) * 0.34
            high = 0.3 if across else 0.16
            at.shape([(left, -high), (left + 0.17, -high), (left + 0.13, high), (left + 0.03, high)], white)

    return drawn


def _mountain(at: Spot) -> None:
    wide, high = at.chance.uniform(30, 70), at.chance.uniform(20, 45)
    at.draw.polygon([(at.x - wide, at.y), (at.x, at.y - high), (at.x + wide, at.y)], fill=at.near((98, 110, 124)))


@dataclass(frozen=True)
class Part:
    """How a class is drawn.

    Parameters
    ----------
    draw : callable
    layer : int
        Objects with a higher number are drawn later, over the others.
    where : {"horizon", "far", "side", "ground", "road", "any"}
    """

    draw: Callable[[Spot], None]
    layer: int
    where: str


PARTS = {
    "Mountain": Part(_mountain, 0, "horizon"),
    "Terrain": Part(_flat([(150, 140, 80), (128, 146, 74)], 1.5, 0.3), 1, "ground"),
    "Sand": Part(_flat([(228, 204, 140)], 1.4, 0.3), 1, "ground"),
    "Water": Part(_flat([(88, 130, 168)], 1.3, 0.25), 1, "ground"),
    "Snow": Part(_flat([(244, 247, 250)], 1.4, 0.3), 1, "ground"),
    "Parking": Part(_flat([(128, 128, 130)], 1.4, 0.3), 1, "ground"),
    "Pedestrian Area": Part(_flat([(196, 176, 160)], 1.4, 0.3), 1, "ground"),
    "Service Lane": Part(_flat([(128, 128, 130)], 1.6, 0.2), 1, "ground"),
    "Bike Lane": Part(_flat([(170, 70, 60)], 1.6, 0.15), 1, "road"),
    "Rail Track": Part(_flat([(96, 84, 76)], 1.8, 0.15), 1, "ground"),
    "Curb Cut": Part(_flat([(205, 205, 200)], 0.6, 0.12), 2, "ground"),
    "Lane Marking - General": Part(_stripes(1, across=False), 2, "road"),
    "Lane Marking - Crosswalk": Part(_stripes(6, across=True), 2, "road"),
    "Crosswalk - Plain": Part(_flat([(172, 150, 140)], 1.2, 0.2), 2, "road"),
    "Pothole": Part(_flat([(54, 50, 48)], 0.35, 0.12), 2, "road"),
    "Manhole": Part(_flat([(74, 74, 78)], 0.3, 0.12), 2, "road"),
    "Catch Basin": Part(_flat([(60, 60, 64)], 0.3, 0.1), 2, "road"),
    "Tunnel": Part(_tunnel, 3, "far"),
    "Building": Part(_building, 3, "far"),
    "Bridge": Part(_bridge, 3, "far"),
    "Wall": Part(_wall, 4, "side"),
    "Vegetation": Part(_vegetation, 5, "side"),
    "Fence": Part(_fence, 6, "side"),
    "Guard Rail": Part(_rail, 6, "side"),
    "Barrier": Part(_barrier, 6, "any"),
    "On Rails": Part(_train, 6, "any"),
    "Billboard": Part(_billboard, 7, "side"),
    "Pole": Part(_pole, 7, "side"),
    "Utility Pole": Part(_utility_pole, 7, "side"),
    "Street Light": Part(_street_light, 7, "side"),
    "Traffic Light": Part(_traffic_light, 7, "side"),
    "Traffic Sign Frame": Part(_sign_frame, 7, "any"),
    "Traffic Sign (Back)": Part(_sign_back, 7, "side"),
    "Traffic Sign (Front)": Part(_sign_front, 7, "side"),
    "CCTV Camera": Part(_camera, 7, "side"),
    "Banner": Part(_banner, 7, "any"),
    "Bird": Part(_bird, 7, "any"),
    "Bench": Part(_bench, 8, "side"),
    "Bike Rack": Part(_bike_rack, 8, "side"),
    "Fire Hydrant": Part(_furniture((200, 40, 40), 0.12, 0.5), 8, "side"),
    "Junction Box": Part(_furniture((120, 140, 130), 0.35, 0.9), 8, "side"),
    "Mailbox": Part(_furniture((190, 30, 36), 0.22, 0.8), 8, "side"),
    "Phone Booth": Part(_furniture((160, 60, 60), 0.35, 1.5), 8, "side"),
    "Trash Can": Part(_furniture((50, 110, 70), 0.22, 0.6), 8, "side"),
    "Boat": Part(_boat, 8, "ground"),
    "Bus": Part(_bus, 8, "road"),
    "Truck": Part(_truck, 8, "road"),
    "Trailer": Part(_trailer, 8, "road"),
    "Caravan": Part(_caravan, 8, "road"),
    "Car": Part(_car, 8, "road"),
    "Other Vehicle": Part(_three_wheeler, 8, "road"),
    "Wheeled Slow": Part(_cart, 9, "any"),
    "Bicycle": Part(_bicycle, 9, "any"),
    "Motorcycle": Part(_motorcycle, 9, "any"),
    "Ground Animal": Part(_animal, 9, "any"),
    "Person": Part(_person, 9, "any"),
    "Bicyclist": Part(_bicyclist, 9, "road"),
    "Motorcyclist": Part(_motorcyclist, 9, "road"),
    "Other Rider": Part(_bicyclist, 9, "road"),
}
