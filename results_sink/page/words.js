// The page's own words, in the languages of the keywords. {0} and {1} are filled in.

const WORDS = {
  skip: ["Skip to the content", "Zum Inhalt", "Aller au contenu", "Ir al contenido"],
  search: ["Search", "Suchen", "Rechercher", "Buscar"],
  upload: ["Upload", "Hochladen", "Envoyer", "Subir"],
  compare: ["Compare", "Vergleichen", "Comparer", "Comparar"],
  status: ["Status", "Stand", "État", "Estado"],
  views: ["Views", "Ansichten", "Vues", "Vistas"],
  language: ["Language", "Sprache", "Langue", "Idioma"],
  light_dark: ["Light or dark", "Hell oder dunkel", "Clair ou sombre", "Claro u oscuro"],
  search_title: ["Find photos by what they show", "Fotos finden nach dem, was sie zeigen", "Trouver des photos par ce qu’elles montrent", "Encontrar fotos por lo que muestran"],
  search_hint: ["Try: camera, footwear NOT boot, \"rocking chair\" min:0.8", "Zum Beispiel: Kamera, Schuhwerk NOT Stiefel, min:0.8", "Par exemple : appareil photo, chaussure NOT botte, min:0.8", "Por ejemplo: cámara, calzado NOT bota, min:0.8"],
  what: ["What do you look for?", "Was suchen Sie?", "Que cherchez-vous ?", "¿Qué busca?"],
  narrow: ["Narrow by", "Eingrenzen", "Affiner", "Acotar"],
  only_needs_a_look: ["Only photos that need a look", "Nur Fotos, die jemand ansehen sollte", "Seulement les photos à vérifier", "Solo fotos por revisar"],
  by_product: ["One photo per product", "Ein Foto je Produkt", "Une photo par produit", "Una foto por producto"],
  found_one: ["1 result", "1 Treffer", "1 résultat", "1 resultado"],
  found: ["{0} results", "{0} Treffer", "{0} résultats", "{0} resultados"],
  none: ["Nothing shows that.", "Nichts zeigt das.", "Rien ne montre cela.", "Nada muestra eso."],
  none_yet: ["Nothing is searchable yet. Upload a photo; what is new can be found after the next export.", "Noch ist nichts zu finden. Laden Sie ein Foto hoch; Neues ist nach dem nächsten Export zu finden.", "Rien à trouver pour l’instant. Envoyez une photo ; elle se trouve après le prochain export.", "Todavía no hay nada. Suba una foto; lo nuevo se encuentra tras la próxima exportación."],
  more: ["Show more", "Mehr zeigen", "Afficher plus", "Mostrar más"],
  remove: ["Remove {0}", "{0} entfernen", "Retirer {0}", "Quitar {0}"],
  back: ["Back", "Zurück", "Retour", "Volver"],
  keywords: ["Keywords", "Schlagwörter", "Mots-clés", "Palabras clave"],
  classes: ["What the model saw", "Was das Modell sah", "Ce que le modèle a vu", "Lo que vio el modelo"],
  facts: ["Facts", "Angaben", "Détails", "Datos"],
  history: ["History", "Verlauf", "Historique", "Historial"],
  saw: ["Looked at: {0}", "Angesehen: {0}", "Examinée : {0}", "Examinada: {0}"],
  is_gone: ["The photo is no longer there.", "Das Foto ist nicht mehr da.", "La photo n’est plus là.", "La foto ya no está."],
  is_undone: ["Its last look was taken back.", "Der letzte Blick darauf wurde zurückgenommen.", "Son dernier examen a été annulé.", "Su último examen se deshizo."],
  no_keywords: ["No keyword was sure enough.", "Kein Schlagwort war sicher genug.", "Aucun mot-clé n’était assez sûr.", "Ninguna palabra clave era bastante segura."],
  by_model: ["model", "Modell", "modèle", "modelo"],
  by_human: ["person", "Mensch", "personne", "persona"],
  right: ["{0} is right", "{0} stimmt", "{0} est juste", "{0} es correcto"],
  wrong: ["{0} is wrong", "{0} stimmt nicht", "{0} est faux", "{0} es incorrecto"],
  pin: ["Pin", "Anheften", "Épingler", "Fijar"],
  pin_it: ["Pin {0}: it stays, whatever the model says", "{0} anheften: es bleibt, was immer das Modell sagt", "Épingler {0} : il reste, quoi que dise le modèle", "Fijar {0}: se queda, diga lo que diga el modelo"],
  suppress: ["Suppress", "Unterdrücken", "Supprimer", "Suprimir"],
  suppress_it: ["Suppress {0} on this photo", "{0} bei diesem Foto unterdrücken", "Supprimer {0} sur cette photo", "Suprimir {0} en esta foto"],
  release: ["Undo", "Zurücknehmen", "Annuler", "Deshacer"],
  release_it: ["Undo the decision on {0}", "Die Entscheidung über {0} zurücknehmen", "Annuler la décision sur {0}", "Deshacer la decisión sobre {0}"],
  pinned: ["{0} pinned", "{0} angeheftet", "{0} épinglé", "{0} fijado"],
  suppressed: ["{0} suppressed", "{0} unterdrückt", "{0} supprimé", "{0} suprimido"],
  released: ["The model decides on {0} again", "Über {0} entscheidet wieder das Modell", "Le modèle décide à nouveau de {0}", "El modelo vuelve a decidir sobre {0}"],
  thanks: ["Thank you. Your rating is kept.", "Danke. Ihre Bewertung ist vermerkt.", "Merci. Votre avis est noté.", "Gracias. Su valoración queda guardada."],
  missing: ["A word is missing", "Ein Wort fehlt", "Il manque un mot", "Falta una palabra"],
  add: ["Add and pin", "Hinzufügen und anheften", "Ajouter et épingler", "Añadir y fijar"],
  tell: ["Tell us", "Mitteilen", "Signaler", "Avisar"],
  product: ["Product", "Produkt", "Produit", "Producto"],
  size: ["Size", "Größe", "Taille", "Tamaño"],
  model: ["Model", "Modell", "Modèle", "Modelo"],
  taxonomy: ["Taxonomy", "Taxonomie", "Taxonomie", "Taxonomía"],
  observed_at: ["Looked at", "Angesehen", "Examinée", "Examinada"],
  uploaded: ["Uploaded", "Hochgeladen", "Envoyée", "Subida"],
  run: ["Run", "Lauf", "Passage", "Pasada"],
  revision: ["Revision", "Fassung", "Révision", "Revisión"],
  place: ["Lies at", "Liegt unter", "Se trouve à", "Está en"],
  compare_this: ["Compare models", "Modelle vergleichen", "Comparer les modèles", "Comparar modelos"],
  upload_title: ["Upload photos and watch", "Fotos hochladen und zusehen", "Envoyer des photos et suivre", "Subir fotos y mirar"],
  drop: ["Drop photos here", "Fotos hierher ziehen", "Déposez des photos ici", "Suelte fotos aquí"],
  choose: ["or choose files", "oder Dateien wählen", "ou choisissez des fichiers", "o elija archivos"],
  formats: ["JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF, up to 20 MB each", "JPEG, PNG, WebP, GIF, BMP, TIFF oder AVIF, je bis 20 MB", "JPEG, PNG, WebP, GIF, BMP, TIFF ou AVIF, 20 Mo au plus", "JPEG, PNG, WebP, GIF, BMP, TIFF o AVIF, hasta 20 MB"],
  uploading: ["Uploading", "Wird hochgeladen", "Envoi", "Subiendo"],
  looking: ["Looking at it", "Wird angesehen", "Examen", "Examinando"],
  late: ["No result in time. It will be found by search later.", "Kein Ergebnis in der Zeit. Es wird später zu finden sein.", "Pas de résultat à temps. Il se trouvera plus tard.", "Sin resultado a tiempo. Se encontrará más tarde."],
  failed: ["The upload failed: {0}", "Das Hochladen schlug fehl: {0}", "L’envoi a échoué : {0}", "La subida falló: {0}"],
  again: ["Try again", "Nochmals versuchen", "Réessayer", "Reintentar"],
  done: ["Tagged", "Verschlagwortet", "Étiquetée", "Etiquetada"],
  rejected: ["Rejected", "Abgelehnt", "Refusée", "Rechazada"],
  lost: ["Connection lost, trying again …", "Verbindung verloren, neuer Versuch …", "Connexion perdue, nouvel essai …", "Conexión perdida, reintentando …"],
  progress: ["{0} of {1} done", "{0} von {1} fertig", "{0} sur {1} terminées", "{0} de {1} listas"],
  open_it: ["Open", "Öffnen", "Ouvrir", "Abrir"],
  open: ["Open {0}", "{0} öffnen", "Ouvrir {0}", "Abrir {0}"],
  compare_title: ["What each model sees", "Was jedes Modell sieht", "Ce que voit chaque modèle", "Lo que ve cada modelo"],
  compare_hint: ["Choose a photo or give a link: each model's answer stands here, side by side.", "Wählen Sie ein Foto oder geben Sie einen Link: hier stehen dann die Antworten der Modelle nebeneinander.", "Choisissez une photo ou donnez un lien : les réponses des modèles s’affichent ici, côte à côte.", "Elija una foto o dé un enlace: aquí aparecen las respuestas de los modelos, una junto a otra."],
  from_file: ["A photo of this device", "Ein Foto dieses Geräts", "Une photo de cet appareil", "Una foto de este dispositivo"],
  from_link: ["or a link to one", "oder ein Link zu einem", "ou un lien vers une photo", "o un enlace a una"],
  look: ["Look", "Ansehen", "Examiner", "Mirar"],
  models: ["Models", "Modelle", "Modèles", "Modelos"],
  milliseconds: ["{0} ms", "{0} ms", "{0} ms", "{0} ms"],
  too_large: ["{0} has over 4 MB. Upload it instead, or give a link.", "{0} hat über 4 MB. Laden Sie es hoch, oder geben Sie einen Link.", "{0} dépasse 4 Mo. Envoyez-la, ou donnez un lien.", "{0} supera 4 MB. Súbala, o dé un enlace."],
  status_title: ["How tagging is", "Wie es um die Verschlagwortung steht", "Où en est l’étiquetage", "Cómo va el etiquetado"],
  waiting: ["waiting", "wartend", "en attente", "en espera"],
  in_flight: ["being looked at", "in Arbeit", "en cours", "en curso"],
  dead_letters: ["dead letters", "unzustellbar", "au rebut", "no entregables"],
  uploads: ["Uploads", "Uploads", "Envois", "Subidas"],
  backfill: ["Backfill", "Nachladen", "Rattrapage", "Carga"],
  tagged: ["tagged", "verschlagwortet", "étiquetées", "etiquetadas"],
  of_them_without: ["{0} without a keyword", "{0} ohne Schlagwort", "{0} sans mot-clé", "{0} sin palabra clave"],
  rejected_many: ["rejected", "abgelehnt", "refusées", "rechazadas"],
  gone: ["gone", "verschwunden", "disparues", "desaparecidas"],
  last_half_hour: ["Photos a minute, in the last half hour", "Fotos je Minute, in der letzten halben Stunde", "Photos par minute, dans la dernière demi-heure", "Fotos por minuto, en la última media hora"],
  peak: ["at most {0} in a minute, {1} in all", "höchstens {0} in einer Minute, {1} insgesamt", "{0} par minute au plus, {1} en tout", "{0} por minuto como máximo, {1} en total"],
  rejected_title: ["Rejected photos", "Abgelehnte Fotos", "Photos refusées", "Fotos rechazadas"],
  all: ["All", "Alle", "Toutes", "Todas"],
  no_rejected: ["None. Every photo could be read.", "Keine. Jedes Foto war lesbar.", "Aucune. Toutes étaient lisibles.", "Ninguna. Todas eran legibles."],
  part: ["Only a part of the table was counted.", "Nur ein Teil der Tabelle wurde gezählt.", "Seule une partie de la table a été comptée.", "Solo se contó una parte de la tabla."],
  error: ["That did not work: {0}", "Das ging nicht: {0}", "Cela n’a pas marché : {0}", "Eso no funcionó: {0}"],
  sign_out: ["Sign out", "Abmelden", "Se déconnecter", "Cerrar sesión"],
  sign_in_failed: ["You could not be signed in: {0}", "Die Anmeldung schlug fehl: {0}", "La connexion a échoué : {0}", "No se pudo iniciar la sesión: {0}"],
  refused: ["the issuer gave no token", "der Aussteller gab kein Token", "l’émetteur n’a pas donné de jeton", "el emisor no dio ningún token"],
  not_signed_in: ["your sign-in is not accepted here", "Ihre Anmeldung gilt hier nicht", "votre connexion n’est pas acceptée ici", "su sesión no se acepta aquí"],
  forbidden: ["you are not allowed to do this", "Sie dürfen das nicht", "vous n’en avez pas le droit", "no tiene permiso para esto"],
  loading: ["Loading …", "Lädt …", "Chargement …", "Cargando …"],
  low_information: ["nearly of one colour: its keywords mean little", "fast einfarbig: die Schlagwörter sagen wenig", "presque d’une seule couleur : les mots-clés disent peu", "casi de un solo color: las palabras dicen poco"],
  reason_empty: ["The file is empty.", "Die Datei ist leer.", "Le fichier est vide.", "El archivo está vacío."],
  reason_bytes: ["The file is too large.", "Die Datei ist zu groß.", "Le fichier est trop lourd.", "El archivo es demasiado grande."],
  reason_pixels: ["The photo has too many pixels.", "Das Foto hat zu viele Pixel.", "La photo a trop de pixels.", "La foto tiene demasiados píxeles."],
  reason_too_small: ["The photo is too small to show a product.", "Das Foto ist zu klein für ein Produkt.", "La photo est trop petite pour un produit.", "La foto es demasiado pequeña."],
  reason_format: ["Photos of this format are not read. Save it as JPEG.", "Dieses Format wird nicht gelesen. Speichern Sie es als JPEG.", "Ce format n’est pas lu. Enregistrez-la en JPEG.", "Este formato no se lee. Guárdela como JPEG."],
  reason_not_image: ["The file is not a photo.", "Die Datei ist kein Foto.", "Le fichier n’est pas une photo.", "El archivo no es una foto."],
  reason_corrupt: ["The file is damaged.", "Die Datei ist beschädigt.", "Le fichier est endommagé.", "El archivo está dañado."],
  reason_unsupported: ["Photos of this depth are not read. Save it with 8 bits a colour.", "Diese Farbtiefe wird nicht gelesen. Speichern Sie es mit 8 Bit je Farbe.", "Cette profondeur n’est pas lue. Enregistrez-la en 8 bits par couleur.", "Esta profundidad no se lee. Guárdela con 8 bits por color."],
  reason_missing: ["The photo is not there.", "Das Foto ist nicht da.", "La photo n’est pas là.", "La foto no está."],
  reason_denied: ["The photo may not be read.", "Das Foto darf nicht gelesen werden.", "La photo ne peut être lue.", "La foto no se puede leer."],
};

export const LANGUAGES = { en: "English", de: "Deutsch", fr: "Français", es: "Español" };
const ORDER = Object.keys(LANGUAGES);
const KEPT = "catalog-tagger.language";

export function language() {
  const kept = localStorage.getItem(KEPT);
  if (ORDER.includes(kept)) return kept;
  return navigator.languages.map((each) => each.slice(0, 2)).find((each) => ORDER.includes(each)) || "en";
}

export function speak(chosen) {
  localStorage.setItem(KEPT, chosen);
}

export function say(name, ...filled) {
  const text = WORDS[name]?.[ORDER.indexOf(language())] ?? name;
  return text.replace(/\{(\d)\}/g, (_, at) => String(filled[Number(at)] ?? ""));
}

export function number(value) {
  return new Intl.NumberFormat(language()).format(value);
}

export function moment(text) {
  if (!text) return "";
  return new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "medium" }).format(new Date(text));
}
