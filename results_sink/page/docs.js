// Shows the API's document, served beside this page.
SwaggerUIBundle({ dom_id: "#document", url: new URL("openapi.json", document.baseURI).href, deepLinking: true, docExpansion: "list", validatorUrl: null });
