"""Closed lists of words that stand over medical pictures and are nobody's name."""

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ORDINARY: Final = _words(
    "siemens healthineers philips ge toshiba canon hitachi samsung mindray esaote fujifilm hologic "
    "olympus zeiss leica nikon topcon heidelberg healthcare engineering ultrasonix sonosite "
    "a abdomen abdominal abdominis abnormal abscess acquired acute adult age air anatomy and "
    "angle anterior aorta aortic ap apical appendix approach arch arm arrow arterial artery "
    "atrial atrium attachment attending axial axis base basic bed benign bilateral biopsy bladder "
    "bleed blood body bone bowel brain breast bronchus bruit by calf cardiac carotid case "
    "catheter cavity cell cells center central centre cerebral cervical chamber chest chronic "
    "clinic clinical clip closed cm colon comparison complete complications computed conclusion "
    "congenital connection contrast cord coronal coronary cortex course cranial ct cyst data day "
    "deep deformity degree delay dental department derm device diagnosis diameter diastole "
    "differential diffuse disc disease dislocation distal distance dorsal dose duct early edge "
    "effusion elbow emergency endoscopy enhanced enhancement enhancing erect exam examination "
    "example external eye face false fat features female femoral femur fetal fetus few field fig "
    "figure filter findings first fissure fistula fl flair flow fluid focal follow foot for "
    "fracture frame free from frontal full fundus gain gallbladder gas gastric general gland "
    "grade grand great group growth guided haemorrhage hand head healthy heart hemorrhage hepatic "
    "hernia high hip history hospital hours image images imaging impression in index infarct "
    "inferior injury inner intermediate internal introduction is joint kidney knee large late "
    "lateral law learning lecture left leg lens lesion lesions ligament line liver lobe long low "
    "lower lumbar lung lymph magnetic male management maneuver manoeuvre map mass mean medial "
    "median medical medicine membrane method mid middle mild mitral mode moderate mr mri muscle "
    "name neck needle negative nerve neural new no node nodule normal not note objectives oblique "
    "of old on open optic or oral outer outline ovary overview pa pain pancreas panel part "
    "patient pattern peak pediatric pelvic pelvis phase phenomenon plain plane plaque plate "
    "pleural pneumonia point portable portal positive post posterior power pre presentation "
    "pressure primary procedure prognosis prone protocol proximal pulmonary pulse questions quiz "
    "radiograph radius range rate ratio ray reading recon rectum references reflex region renal "
    "resolution resonance result results retina review rib right root rotation rounds row sacral "
    "sagittal sample scale scan score second section segment septum sequence series session "
    "severe shape sharp short shoulder side sign signal signs sinus size skills skin skull slice "
    "slices slide small soft sound spinal spine spleen splenic spot stage standard standing stem "
    "step steps sternum stomach stone stranding study summary superior supine support surgery "
    "surgical suspected symptoms syndrome system systole table take technique teeth temporal "
    "tendon test thank thanks the therapy thick thickness thigh thin third thoracic thorax "
    "thyroid tibia time tip tissue title to tomography tooth total trachea transverse trauma "
    "treatment triad triangle true tube tumor tumour type typical ulcer ulna ultrasound unit "
    "university upper upright ureter urgent uterus vaginal valve vein venous ventral ventricle "
    "vertebra vertebral vessel vessels view views volume wall week weeks weighted white width "
    "window with without wrist x-ray xray year years you zone zoom"
)
"""Lower case; a text with one of them is no person's name unless a label says so."""

LEADING: Final = r"dr|doctor|prof|professor|mr|mrs|ms|miss|mx|herr|frau|mme|sr|sra|dott"
TRAILING: Final = r"md|m\.d\.?|phd|ph\.d\.?|frcr|frcs|facr|mbbs|rdms|rvt|do|dds|dmd"
