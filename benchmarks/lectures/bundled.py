"""The three lectures that ship with medpipe."""

from benchmarks.lectures.spec import Cursor, LectureSpec, Line, Slide

_WHOLE_LINES = (
    Line("Welcome. Today we read a photograph of the back of the eye.", pointer=False),
    Line("On the left, you can see {the bright optic disc|disc|circle}."),
    Line("In the center lies {the dark macula|macula|circle}."),
    Line("{These large blood vessels|upper_vessels|circle} run above it.", park=(0.8, 0.84)),
    Line("Always compare both eyes before you decide.", pointer=False, pause_s=0.3),
)
_DISC_LINES = (
    Line("Now we look closer at the optic nerve.", pointer=False),
    Line("The middle of the disc is {the pale cup|cup|circle}, and it is small."),
    Line("Here, {a branching artery|artery|circle} leaves the disc."),
    Line("There is {no sign of bleeding|right_field|circle!} on this side.", park=(0.75, 0.9)),
)
_SPOTS_LINES = (
    Line("The next patient has diabetes.", pointer=False),
    Line("Look at {this dark spot|upper_spot|dwell}.", pause_s=0.2),
    Line("It is a tiny swelling in the wall of a small blood vessel.", pause_s=0.3),
    Line("It may leak fluid, and later it may damage the retina."),
    Line("So please check the retina every year.", pointer=False),
)
_STACK_LINES = (
    Line("This is a computed tomography scan of the chest.", pointer=False),
    Line("Here is {the body of the vertebra|body|circle}."),
    Line("Now I scroll down slowly through the next images.", scroll_to=8, pause_s=0.8),
    Line("Behind the body we find {the spinal canal|canal|circle}."),
    Line("This large round vessel is {the aorta|aorta|circle}."),
    Line("We scroll again to the last image.", scroll_to=16, pause_s=0.8),
    Line("There is {no fracture in this bone|spinous|circle!}.", park=(0.87, 0.8)),
)
_ABDOMEN_LINES = (
    Line("The second patient has pain in the abdomen.", pointer=False),
    Line("We use magnetic resonance imaging with contrast.", pointer=False),
    Line("In the liver, there is {a large round lesion|lesion|circle}."),
    Line("Look here, at {the dark center|lesion_core|dwell}.", pause_s=0.3),
    Line("Dark tissue takes up little contrast, so it may be dead or full of fluid."),
    Line("This is {the right kidney|right_kidney|circle}."),
    Line("On the other side is {the left kidney|left_kidney|circle}."),
    Line("The surgeon will now plan a biopsy.", pointer=False),
)
_COLON_LINES = (
    Line("In this lesson, we study the wall of the colon under the microscope.", pointer=False),
    Line("The brown stain marks {this round gland|round_gland|circle}."),
    Line("Next to it, {the long white space|lumen|circle} is the lumen of another gland."),
    Line("Around the glands is {pale connective tissue|stroma|circle}.", park=(0.2, 0.86)),
    Line("The blue color shows the nuclei of the cells.", pointer=False),
)
_GLAND_LINES = (
    Line("Let us zoom in.", pointer=False, pause_s=0.4),
    Line("All cells point to {the center of the gland|centre|circle}."),
    Line("On the left side is {the outer wall|wall|circle}."),
    Line("And outside, there is {no brown stain|outside|circle!}."),
    Line("That is all for today. Thank you for listening.", pointer=False),
)


def bundled_specs() -> list[LectureSpec]:
    """Return the bundled lectures: fundus, ct_stack, histology."""
    return [_fundus(), _ct_stack(), _histology()]


def _fundus() -> LectureSpec:
    return LectureSpec(
        name="fundus",
        title="Reading a fundus photograph",
        seed=11,
        fps=25,
        crf=30,
        preset="slow",
        slides=(
            Slide(
                "fundus",
                (0.02, 0.13, 0.6, 0.98),
                _WHOLE_LINES,
                title="Reading a fundus photograph",
                notes=("Optic disc", "Macula", "Vessels"),
                notes_at=(0.66, 0.3),
                cursor=Cursor("arrow", "white", 28),
            ),
            Slide(
                "fundus_disc",
                (0.08, 0.13, 0.92, 0.98),
                _DISC_LINES,
                title="The optic nerve",
                enter="fade",
                cursor=Cursor("arrow", "white", 28),
            ),
            Slide(
                "microaneurysms",
                (0.25, 0.1, 0.75, 0.97),
                _SPOTS_LINES,
                background="dark",
                cursor=Cursor("hand", "white", 42),
            ),
        ),
    )


def _ct_stack() -> LectureSpec:
    return LectureSpec(
        name="ct_stack",
        title="Scrolling a CT stack",
        seed=23,
        fps=30,
        crf=31,
        preset="slow",
        slides=(
            Slide(
                "ct_stack",
                (0.2, 0.04, 0.8, 0.97),
                _STACK_LINES,
                background="dark",
                cursor=Cursor("arrow", "black", 26),
            ),
            Slide(
                "mr_abdomen",
                (0.02, 0.14, 0.98, 0.98),
                _ABDOMEN_LINES,
                title="MRI of the abdomen",
                background="dark",
                cursor=Cursor("cross", "white", 36),
            ),
        ),
    )


def _histology() -> LectureSpec:
    return LectureSpec(
        name="histology",
        title="Glands of the colon",
        seed=37,
        width_px=854,
        height_px=480,
        fps=15,
        crf=30,
        preset="slow",
        letterbox_px=36,
        slides=(
            Slide(
                "histology",
                (0.03, 0.14, 0.62, 0.98),
                _COLON_LINES,
                title="Glands of the colon",
                notes=("Gland", "Lumen", "Stroma"),
                notes_at=(0.7, 0.35),
                background="textured",
                cursor=Cursor("laser", "red", 18),
            ),
            Slide(
                "histology_zoom",
                (0.2, 0.03, 0.8, 0.97),
                _GLAND_LINES,
                background="textured",
                enter="fade",
                cursor=Cursor("hand", "black", 30),
            ),
        ),
    )
