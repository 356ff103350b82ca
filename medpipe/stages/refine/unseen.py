"""Nouns that no pointer can show in a picture: complaints, cures, numbers, people, talk."""

from typing import Final

from medpipe.stages.refine.lexicon import words

_PEOPLE: Final = words(
    "patient person man woman men women lady gentleman boy girl guy fellow folk people everybody "
    "everyone doctor physician surgeon radiologist pathologist dermatologist resident nurse "
    "student colleague author audience teacher lecturer professor expert friend family mother "
    "father parent sister brother son daughter wife husband somebody someone viewer subscriber "
    "beginner team group classmate coauthor partner company hospital clinic department office"
)
_COMPLAINTS: Final = words(
    "pain ache headache fever cough nausea vomiting weakness fatigue dyspnea shortness dizziness "
    "vertigo complaint symptom malaise numbness itching pruritus discomfort anxiety depression "
    "palpitations syncope chills sweats weight appetite diarrhea constipation tiredness breath "
    "sensation feeling tenderness temperature pressure pulse rate allergy habit smoking smoker "
    "alcohol abuse pregnancy disability"
)
_CONDITIONS: Final = words(
    "diabetes hypertension obesity asthma disease disorder condition syndrome illness entity "
    "diagnosis differential history etiology pathogenesis pathophysiology physiology mechanism "
    "cause accident factor complication outcome prognosis survival mortality "
    "morbidity incidence prevalence frequency epidemiology risk genetics mutation remission "
    "relapse recovery onset episode progression immunity "
)
_CURES: Final = words(
    "treatment therapy chemotherapy radiation radiotherapy surgery operation management medicine "
    "medication drug dose antibiotic steroid aspirin insulin vaccine vaccination procedure "
    "intervention rehabilitation consultation referral admission discharge follow follow-up "
    "follow-ups prevention diet exercise anesthesia protocol guideline recommendation approach"
)
_TESTS: Final = words(
    "test exam examination study scan biopsy mri ct pet x-ray xray radiograph ultrasound "
    "sonography mammogram angiogram endoscopy colonoscopy photograph photo film image picture "
    "video slide view series sequence modality technique method protocol setting "
    "magnification power imaging resolution quality sensitivity specificity accuracy percent "
    "percentage value range ratio score statistics report result lab labs "
)
_TIMES: Final = words(
    "time today tomorrow yesterday tonight minute second moment hour day week weekend month year "
    "decade century age birth childhood morning afternoon evening night monday tuesday wednesday "
    "thursday friday saturday sunday phase stage interval past future systole diastole beat"
)
_TALK: Final = words(
    "thing lot kind sort bit way case example question answer problem name word term reason idea "
    "fact order addition story chance look sense care note attention evidence number amount level "
    "rest conclusion summary beginning goal anything something nothing session chapter topic "
    "lesson subject lecture talk presentation title figure panel frame doubt sure "
    "kinda sorta screen mouse cursor pointer microscope advice advantage disadvantage experience "
    "opinion importance literature paper article textbook book rule concept principle pitfall "
    "mistake error trick teaching anatomy pathology radiology histology knowledge "
    "understanding interpretation description definition classification criteria criterion "
    "category type difference comparison indication contraindication choice option decision "
    "discussion introduction overview outline review research trial data speed cost money "
    "difficulty help use role purpose issue concern credit break pleasure honor welcome "
    "left right hand phone water weather world country city internet sound microphone poll vote "
    "quiz hint clue hello hi thanks bye goodbye sorry"
)
_SELLING: Final = words(
    "channel subscribe like notification comment website site app store page "
    "newsletter email facebook instagram twitter patreon youtube amazon sponsor episode discount "
    "code coupon checkout membership member program registration upload download handout "
    "pdf chat disclosure objective acknowledgement exam certificate"
)

# Some things of these names can be shown: "white matter", "halo sign", "tip of the appendix".
_BARE: Final = words(
    "attack bank bell board button course end finding start gene infection injury link matter "
    "point section "
    "sign step tip trauma window"
)
UNSEEN: Final = _PEOPLE | _COMPLAINTS | _CONDITIONS | _CURES | _TESTS | _TIMES | _TALK | _SELLING


def unseen(noun: str, *, bare: bool) -> bool:
    """Is it something that no pointer can show?

    Args:
        noun: What a phrase is about, lower case, singular or plural.
        bare: Nothing in the phrase says which.
    """
    forms = {noun, noun.removesuffix("s"), noun.removesuffix("es"), _ies(noun)}
    return bool(forms & UNSEEN) or (bare and bool(forms & _BARE))


def _ies(noun: str) -> str:
    return noun.removesuffix("ies") + "y" if noun.endswith("ies") else noun
