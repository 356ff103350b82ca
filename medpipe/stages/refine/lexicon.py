"""Closed lists of English words that teachers use around medical nouns."""

from typing import Final


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


def _verb_forms(text: str) -> frozenset[str]:
    """Regular -s, -ed and -ing forms of verbs."""
    forms: set[str] = set()
    for verb in text.split():
        stem = verb.removesuffix("e")
        if verb.endswith(("s", "sh", "ch", "x", "o")):
            third = verb + "es"
        elif verb.endswith("y") and verb[-2] not in "aeiou":
            third, stem = verb[:-1] + "ies", verb[:-1] + "i"
        else:
            third = verb + "s"
        forms |= {verb, third, stem + "ed", (verb if stem.endswith("i") else stem) + "ing"}
    return frozenset(forms)


FILLERS: Final = words("um uh uhm umm uhh erm er eh hmm hm mmm mhm ah")
ABBREVIATIONS: Final = words("dr. mr. mrs. ms. prof. st. vs. fig. e.g. i.e. approx. no. st.")

DETERMINERS: Final = words(
    "a an the this that these those my your his her its our their some any no each every both "
    "all another several many few most certain either neither such various multiple"
)
POINTING: Final = words("this that these those")
PLACES: Final = words("here there")
PLACE_LEADS: Final = words("right over up down just out back in")
PRONOUNS: Final = words(
    "i you he she it we they me him us them who whom what which whose there something anything "
    "nothing none nobody everything someone anyone everyone one's ourselves yourself itself "
    "themselves "
    "i'm you're he's she's it's we're they're i've you've we've they've i'll you'll we'll they'll "
    "it'll i'd you'd we'd that's there's here's what's who's let's that'll there're where's"
)
PREPOSITIONS: Final = words(
    "of in on at by for with without from to into onto over under above below between among "
    "through throughout across along around behind beside besides beyond near inside outside "
    "within during before after against toward towards upon via per as like despite except "
    "off out up down past since until till underneath beneath adjacent next"
)
CONJUNCTIONS: Final = words(
    "and or but nor so yet because although though while whereas when whenever where if unless "
    "than whether versus vs then therefore however hence thus otherwise instead rather meanwhile "
    "moreover"
)
ADVERBS: Final = words(
    "about upward downward inward outward upwards downwards inwards outwards clockwise "
    "very quite too also again now just only even still already almost always never often "
    "sometimes usually perhaps maybe well okay ok alright yes yeah no not really actually "
    "basically essentially somewhat more less much most least rather fairly pretty enough ever "
    "here there everywhere somewhere anywhere together apart away back forward ahead today "
    "tomorrow yesterday ago soon later once twice please indeed anyway else especially "
    "particularly "
    "approximately roughly nearly far further furthermore next first second third finally lastly "
    "why how hello hi welcome thanks thank sorry oh alike both either neither"
)
ORDINALS: Final = words("first second third fourth fifth next last other same")
DEGREES: Final = words(
    "very quite slightly mildly moderately severely markedly somewhat more less most well poorly "
    "densely highly fairly rather extremely partially completely"
)
NUMBERS: Final = words(
    "one two three four five six seven eight nine ten eleven twelve twenty thirty hundred"
)

AUXILIARIES: Final = words(
    "be am is are was were been being do does did done doing have has had having can could will "
    "would shall should may might must cannot isn't aren't wasn't weren't don't doesn't didn't "
    "haven't hasn't hadn't can't couldn't won't wouldn't shouldn't mustn't ain't isnt dont cant "
    "gonna wanna gotta"
)
MODALS: Final = words(
    "can could will would shall should may might must cannot do does did don't doesn't didn't "
    "can't couldn't won't wouldn't shouldn't let's please us i we you they i'll we'll you'll "
    "they'll it'll i'd we'd you'd they'd"
)
VERBS: Final = (
    words(
        "see sees saw seen seeing show shows shown showed showing go goes went gone going get gets "
        "got getting gotten come comes came coming say says said saying tell tells told telling "
        "know knows knew known knowing think thinks thought thinking take takes took taken taking "
        "make makes made making give gives gave given giving find finds found finding keep keeps "
        "kept keeping let lets put puts putting mean means meant meaning become becomes became "
        "lie lies lay lain lying begin begins began begun run runs ran running arise arises arose "
        "draw draws drew drawn drawing hold holds held look looks looked looking bring brings "
        "leave leaves leaving feel feels felt lead leads led leading stand stands stood "
        "sit sits sat sitting speak speaks spoke understand understands understood spread spreads "
        "quantify want wants wanted need needs needed try tries tried use uses used using "
        "call calls called calling stop stops stopped stopping start starts started starting "
        "remember remembers ask asks asked lack lacks lacked lacking disappear disappears "
        "disappeared"
    )
    | _verb_forms(
        "compare notice appear demonstrate reveal indicate suggest represent contain extend "
        "include "
        "surround compress displace occupy arrange involve produce consist describe explain "
        "identify visualize visualise recognize recognise observe examine illustrate depict "
        "highlight outline circle appreciate consider correspond connect attach separate "
        "distinguish differentiate confirm exclude remain seem happen occur develop invade "
        "infiltrate obscure obliterate efface erode penetrate enter exit cross join divide "
        "open close follow trace move turn learn teach discuss talk start begin watch imagine "
        "assume expect allow enable help require create receive carry reach touch cover lose "
        "descend ascend pass continue originate insert innervate perfuse resemble "
        "enlarge dilate thicken widen deviate elevate depress flatten collapse  "
        " enhance calcify ulcerate subscribe click ignore zoom scroll exist pull push stretch"
    )
) - {"opening", "staining"}
FINDING: Final = words(
    "see sees saw seen seeing find finds found finding have has had having show shows shown showed "
    "make makes made get got"
) | _verb_forms(
    "identify visualize visualise appreciate detect notice observe recognize recognise demonstrate "
    "reveal note"
)
NOUN_OR_VERB: Final = words(
    "lack lacks cut cuts scan scans stain stains bulge bulges mass masses rest drain drains "
    "supply supplies "
    "measure measures form forms mark marks point points cause causes change changes shadow "
    "shadows show shows look looks view views focus focuses result results function functions "
    "cover covers line lines branch branches border borders course courses bleed bleeds cross "
    "bend bends curve curves name names note notes record records project projects drop drops "
    "rise rises increase increases decrease decreases shift shifts swell swells run runs tear "
    "tears fracture fractures test tests study studies report reports sign signs label labels "
    "sample samples image images contrast contrasts process processes drape drapes trace traces "
    "spread collapse narrowing outline outlines opening lead leads start end ends stop place "
    "places touch help use uses turn turns circle circles separate open close enhance cross "
    "block blocks plug plugs fill fills meet meets sit lie move moves surface surfaces empty "
    "find findings finding drawing beginning meaning lining staining swelling thickening "
    "narrowing widening scarring bleeding stranding coating bruising crossing blunting mottling "
    "tenting layering shadowing clubbing flattening cupping pitting scaling crusting wasting "
    "remodeling stippling clearing matter matters"
)
NOUN_ING: Final = words(
    "staining swelling thickening narrowing widening scarring bleeding stranding lining coating "
    "finding opening crossing blunting mottling tenting layering shadowing clubbing ring wing "
    "cupping pitting scaling crusting wasting remodeling stippling imaging bearing beginning "
    "building thing string spring king tubing drawing meaning wheezing flattening clearing"
)

ADJECTIVES: Final = words(
    "big small large little tiny huge giant long short wide narrow thick thin high low deep "
    "shallow round oval flat sharp smooth rough soft hard firm solid hollow bright dark light "
    "dense clear hazy cloudy white black grey gray red blue green yellow pink purple brown "
    "orange pale left right upper lower middle inner outer superior inferior anterior posterior "
    "medial lateral proximal distal dorsal ventral deep internal external central peripheral "
    "normal abnormal new old good bad nice important different similar same main major minor "
    "whole entire single double simple complex acute chronic mild severe moderate benign "
    "malignant healthy sick typical atypical classic obvious subtle evident visible present "
    "absent prominent apparent patent intact common rare early late open closed full empty "
    "real true false free wet dry hot cold sure able ready likely unlikely possible "
    "temporal frontal parietal occipital hyperdense hypodense isodense hyperintense hypointense "
    "isointense hyperechoic hypoechoic anechoic echogenic lucent radiolucent radiopaque "
    "bilateral unilateral ill-defined well-defined right-sided left-sided midline clean fine "
    "coarse uniform discrete diffuse multiple scattered focal deviated adjacent straight front "
    "rear vertical horizontal crucial great tall pinkish reddish bluish raised "
    "swollen torn broken worn shrunken hidden patchy fluffy cottony linear curved spiky firm "
    "closer deeper higher larger smaller bigger brighter darker thicker thinner wider narrower "
    "longer shorter better worse best "
    "weighted t1-weighted t2-weighted surrounding neighbouring neighboring "
    "opaque vague distinct separate certain own interesting beautiful correct wrong nodal gross "
    "extra dead"
)
ADJECTIVE_SUFFIXES: Final = (
    "al", "ic", "ous", "ar", "ary", "ive", "ible", "able", "ful", "less", "oid", "ish", "ated",
    "tory", "eal", "cent", "lent", "iform", "genic", "like", "shaped", "sided",
)  # fmt: skip
NOUNS_BY_LIST: Final = words(
    "hospital canal signal animal interval capital arsenal clinic topic fabric scar collar pillar "
    "molar premolar thyroid steroid steroids colloid carotid sigmoid keloid  "
    "fibroid fibroids dictionary ovary artery capillary library summary table cable vegetable "
    "vertebra diagonal urinal material trial radical journal dial metal petal total  "
    "sugar calcar cellulitis tonsil pedal residual percent patient patients epithelium event "
    " adhesive olive nerve valve archive relative olecranon stroma "
    "mandible crucible bubble muscle ventricle follicle vesicle papilla cuticle particle "
    "macula lens bed bead seed feed weed blood bone head lid fluid "
    " cancer ulcer tumor femur fissure seal dish rash fish crest chest breast "
    "family anomaly belly assembly fly butterfly polyp wing ring thing"
)

EMPTY_HEADS: Final = words(
    "area areas region regions spot spots part parts one ones place places side sides location "
    "point points structure structures feature features thing things site sites zone zones"
)
PARTITIVES: Final = words(
    "kind kinds sort sorts type types lot lots bit couple number piece pieces form forms amount "
    "series group example evidence sign signs picture image view case rest variety absence lack "
    "presence"
)
